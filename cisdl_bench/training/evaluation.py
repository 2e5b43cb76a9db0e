"""Scoring a network on fixed sets while it is trained."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cisdl_bench.devices import Rank
from cisdl_bench.metrics.registry import headline_metrics
from cisdl_bench.pair_picture import draw_rows
from cisdl_bench.pairs import Pair
from cisdl_bench.progress import Progress
from cisdl_bench.records import Pixels
from cisdl_bench.store.opening import open_pairs
from cisdl_bench.training.checkpoint import Run, scored_network
from cisdl_bench.training.log import open_log
from cisdl_bench.training.record import EVALUATION

#: Scores a network on its fixed sets: a set's name and its metrics each.
Evaluate = Callable[[nn.Module], list[dict[str, Any]]]


#: Difficulties of the sets that a growth curve is measured on, as in Fig. 6.
_DIFFICULTIES = ("difficult", "normal", "easy")


def find_evaluation_sets(data: Path, given: Sequence[Path]) -> list[Path]:
    """Return the sets that a network is scored on while it is trained.

    Args:
        data: Set that the network learns from.
        given: Sets that a user named; none given: the combination sets beside ``data``, as far as
            there are any.
    """
    if given:
        return list(given)
    beside = [data.absolute().parent / f"combination-{word}" for word in _DIFFICULTIES]
    return [path for path in beside if path.is_dir()]


def first_pairs(sets: Sequence[Path]) -> list[Pair]:
    """Return the first pair of each of the first four sets, to be shown with its answers.

    Raises:
        StoreError: There is no such set.
    """
    return [open_pairs(path)[0] for path in sets[:4]]


class EvaluationStopped(Exception):  # noqa: N818 - no error: what was asked for
    """An evaluation was asked to stop, between two batches."""


def evaluate_now(
    run: Run, evaluate: Evaluate, progress: Progress, rank: Rank, stopped: Callable[[], bool]
) -> None:
    """Score the network on its fixed sets, and write that down; other processes wait.

    Args:
        run: Run whose network is scored.
        evaluate: Function that scores a network on its fixed sets.
        progress: Receives progress updates and messages.
        rank: This process among several.
        stopped: Whether to stop, asked before each batch; nothing is written then.
    """
    if rank.number == 0:
        begun = time.perf_counter()
        results: list[dict[str, Any]] = []
        try:
            with _evaluated(run, stopped) as network:
                results = evaluate(network)
                _tell_loggers(run, network, results)
        except EvaluationStopped:
            pass
        finally:
            run.begun += time.perf_counter() - begun  # evaluation is not training
        at = {"step": run.step, "pairs": run.step * run.experiment.batch}
        open_log(run, EVALUATION).add(*({**result, **at} for result in results))
        shown = ", ".join(f"{line['set']} IoU {line['iou']:.4f}" for line in results)
        progress.say(f"step {run.step:,}: {shown or 'evaluation stopped'}")
    rank.wait()


def _tell_loggers(run: Run, network: Any, results: Sequence[Mapping[str, Any]]) -> None:
    """Tell the run's loggers of an evaluation: headline metrics, and one sheet of pairs."""
    if not run.loggers:
        return
    names = headline_metrics()
    scalars = {f"{line['set']}/{name}": line[name] for line in results for name in names}
    sheet = _draw_answers(network, run) if run.shown else None
    for logger in run.loggers:
        logger.add_scalars(scalars, run.step)
        if sheet is not None:
            logger.add_picture("pairs: truth, then answer", sheet, run.step)


@torch.no_grad()
def _draw_answers(network: Any, run: Run) -> Pixels:
    """Return a sheet of the run's shown pairs: true regions left, the network's right."""
    rows = []
    for pair in run.shown:
        pictures = [
            torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
            for picture in (pair.probe, pair.donor)
        ]
        answer = network.detect(*(picture.to(run.options.device) for picture in pictures))
        masks = [mask[0].float().cpu().numpy() > 0.5 for mask in (answer.probe, answer.donor)]
        rows.append([(pair.probe, pair.probe_mask), (pair.donor, pair.donor_mask)])
        rows.append([(pair.probe, masks[0]), (pair.donor, masks[1])])
    return np.asarray(draw_rows(rows, 128, columns=2))


@contextmanager
def _evaluated(run: Run, stopped: Callable[[], bool]) -> Iterator[nn.Module]:
    """Yield the network in evaluation mode; a batch of it is refused once it is to stop."""
    network: Any = scored_network(run).eval()
    detect = run.detect or network.detect

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
