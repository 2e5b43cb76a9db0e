"""Scoring a network on fixed sets while it is trained."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from cisdl_bench.devices import Rank
from cisdl_bench.progress import Progress
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
        except EvaluationStopped:
            pass
        finally:
            run.begun += time.perf_counter() - begun  # evaluation is not training
        at = {"step": run.step, "pairs": run.step * run.experiment.batch}
        open_log(run, EVALUATION).add(*({**result, **at} for result in results))
        shown = ", ".join(f"{line['set']} IoU {line['iou']:.4f}" for line in results)
        progress.say(f"step {run.step:,}: {shown or 'evaluation stopped'}")
    rank.wait()


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
