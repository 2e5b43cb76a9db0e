"""What a training run writes down as it goes: its losses, and its scores on fixed sets."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cisdl_bench.devices import Rank
from cisdl_bench.progress import Progress
from cisdl_bench.store.torch_view import PairDataset
from cisdl_bench.training.checkpoint import Run, TrainingError, scored_network
from cisdl_bench.training.history import EVALUATION, HISTORY, Log
from cisdl_bench.training.options import METRICS, Evaluate

TERMS = ("loss", "ce", "det_g", "dis_g", "det_d", "dis_d")


class EvaluationStopped(Exception):  # noqa: N818 - no error: what was asked for
    """An evaluation was asked to stop, between two batches."""


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
                "finite losses",
                f"{bad} on {_identity(dataset, seen)}",
                f"{run.kept}: lower the learning rate, or use --precision fp32",
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
    found = (dataset.locate(place) for place in seen)
    return "pairs " + " ".join(f"{pairs.name}/{index}" for pairs, index in found)


def evaluate_now(
    run: Run, evaluate: Evaluate, progress: Progress, rank: Rank, stopped: Callable[[], bool]
) -> None:
    """Score the network on its fixed sets, and write that down; other processes wait.

    Args:
        run: The run.
        evaluate: Scores a network.
        progress: Receives a line of the scores.
        rank: This process among several.
        stopped: Asked before each batch; if it says so, nothing is written.
    """
    if rank.number == 0:
        begun = time.perf_counter()
        results: list[dict[str, Any]] = []
        try:
            with _evaluated(run, stopped) as network:
                results = evaluate(network)
        except EvaluationStopped:
            pass
        finally:
            run.begun += time.perf_counter() - begun  # evaluation is not training
        at = {"step": run.step, "pairs": run.step * run.experiment.batch}
        log_of(run, EVALUATION).add(*({**result, **at} for result in results))
        shown = ", ".join(f"{each['set']} IoU {each['iou']:.4f}" for each in results)
        progress.say(f"step {run.step:,}: {shown or 'evaluation stopped'}")
    rank.wait()


@contextmanager
def _evaluated(run: Run, stopped: Callable[[], bool]) -> Iterator[nn.Module]:
    """Yield the network in evaluation mode; a batch of it is refused once it is to stop."""
    network: Any = scored_network(run).eval()
    detect = network.detect

    def asked_first(probe: Tensor, donor: Tensor) -> Any:
        if stopped():
            raise EvaluationStopped
        return detect(probe, donor)

    network.detect = asked_first
    try:
        yield network
    finally:
        del network.detect
        for learner in run.stage.learners.values():
            learner.network.train()
