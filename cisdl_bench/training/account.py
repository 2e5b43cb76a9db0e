"""What a training run writes down as it goes: its losses, and its scores on fixed sets."""

import math
import time
from collections.abc import Sequence

import torch

from cisdl_bench.devices import Rank
from cisdl_bench.errors import CisdlError
from cisdl_bench.progress import Progress
from cisdl_bench.store.torch_view import PairDataset
from cisdl_bench.training.history import EVALUATION, HISTORY, Log
from cisdl_bench.training.settings import METRICS, Evaluate
from cisdl_bench.training.state import Run, scored_network

TERMS = ("loss", "ce", "det_g", "dis_g", "det_d", "dis_d")


class TrainingError(CisdlError):
    """Training cannot go on: a loss is no number."""


def log_of(run: Run, name: str) -> Log:
    """Return one of a run's two logs by its file's name."""
    columns = {
        HISTORY: ("step", "epoch", "pairs", "seconds", "pairs_per_second", *TERMS),
        EVALUATION: ("step", "pairs", "set", *METRICS),
    }
    return Log(run.out / name, columns[name])


def write_history(run: Run, dataset: PairDataset, progress: Progress, rank: Rank) -> None:
    """Write the mean losses of the last steps.

    Raises:
        TrainingError: One is no number; its step and pairs are named.
    """
    first = run.step - len(run.recent)
    names = [name for name in TERMS if name in run.recent[0][1]]
    table = torch.stack([torch.stack([terms[n] for n in names]) for _, terms in run.recent])
    rows = table.double().cpu().tolist()  # the one wait for the device
    for number, (row, (seen, _)) in enumerate(zip(rows, run.recent, strict=True)):
        terms = dict(zip(names, row, strict=True))
        bad = ", ".join(f"{n} {value}" for n, value in terms.items() if not math.isfinite(value))
        if bad:
            raise TrainingError.expected(
                f"{run.out}: step {first + number + 1}",
                "losses that are numbers",
                f"{bad} on {_identity(dataset, seen)}",
                "What was saved is kept: lower the learning rate, or use --precision fp32",
            )
    mean = {
        name: sum(column) / len(rows)
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
    if rank.total > 1:
        mean = _over_ranks(mean, rank)
    spent, batch = run.spent(), run.experiment.batch
    rate = len(rows) * batch / max(spent - run.logged, 1e-9)
    run.logged = spent
    per_epoch = run.steps / run.experiment.epochs
    if rank.number == 0:
        log_of(run, HISTORY).add(
            {
                "step": run.step,
                "epoch": f"{run.step / per_epoch:.4f}",
                "pairs": run.step * batch,
                "seconds": f"{spent:.2f}",
                "pairs_per_second": f"{rate:.2f}",
                **mean,
            }
        )
    progress.note(" ".join(f"{name} {value:.4f}" for name, value in mean.items()))
    run.recent.clear()


def _over_ranks(mean: dict[str, float], rank: Rank) -> dict[str, float]:
    import torch.distributed

    values = torch.tensor(list(mean.values()), dtype=torch.float64)
    torch.distributed.all_reduce(values)
    return dict(zip(mean, (values / rank.total).tolist(), strict=True))


def _identity(dataset: PairDataset, seen: Sequence[int]) -> str:
    """Return pairs as a person can find them again: set and number."""
    found = []
    for index in seen:
        start = 0
        for pairs in dataset.sets:
            if index < start + len(pairs):
                found.append(f"{pairs.name}/{pairs.indices[index - start]}")
                break
            start += len(pairs)
    return "pairs " + " ".join(found)


def evaluate_now(run: Run, evaluate: Evaluate, progress: Progress, rank: Rank) -> None:
    """Score the network on its fixed sets, and write that down; other processes wait."""
    if rank.number == 0:
        network = scored_network(run).eval()
        begun = time.perf_counter()
        results = evaluate(network)
        run.begun += time.perf_counter() - begun  # evaluation is not training
        for learner in run.stage.learners.values():
            learner.network.train()
        log = log_of(run, EVALUATION)
        for result in results:
            log.add({**result, "step": run.step, "pairs": run.step * run.experiment.batch})
        shown = ", ".join(f"{each['set']} IoU {each['iou']:.4f}" for each in results)
        progress.say(f"step {run.step:,}: {shown}")
    rank.wait()
