"""Scoring a network on the first pairs of sets, without leaving anything on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from cisdl_bench.scoring.batches import PerturbedPairs
from cisdl_bench.scoring.by_batch import score_batches
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.rows import format_row, read_lines
from cisdl_bench.scoring.summary import summarise
from cisdl_bench.store.opening import open_pairs


def quick_scores(
    network: nn.Module, sets: Sequence[Path], pairs: int, options: ScoreOptions
) -> list[dict[str, Any]]:
    """Return the name and the summary of each set, without intervals.

    Args:
        network: On its device, with ``detect``; in evaluation mode.
        sets: Set folders.
        pairs: How many pairs of each are looked at, from the first on: always the same ones.
        options: Device, precision, batch size.
    """
    found = []
    for path in sets:
        of = open_pairs(path)
        dataset = PerturbedPairs(of, Perturbation(), False)
        indices = of.indices[:pairs]
        lines = [
            format_row(of, index, answer)
            for answers in score_batches(network, dataset, indices, options)
            for index, answer in answers
        ]
        found.append({"set": path.absolute().name, **summarise(read_lines(lines), resamples=0)})
    return found
