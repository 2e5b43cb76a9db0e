"""Scoring a network on the first pairs of sets, without leaving anything on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from cisdl_bench.metrics.summary import summarise
from cisdl_bench.models.detectors import NetworkDetector
from cisdl_bench.scoring.batches import PerturbedPairs
from cisdl_bench.scoring.by_batch import score_batches
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.row_lines import format_row
from cisdl_bench.scoring.rows import read_lines
from cisdl_bench.store.opening import open_pairs


def quick_scores(
    network: nn.Module, sets: Sequence[Path], pairs: int, options: ScoreOptions
) -> list[dict[str, Any]]:
    """Return the name and the summary of each set, without intervals.

    Args:
        network: Network with ``detect``, on its device and in evaluation mode.
        sets: Folders of sets.
        pairs: Number of pairs of each set, from the first on: always the same ones.
        options: Device, precision and batch size.
    """
    name = str(getattr(network, "architecture", type(network).__name__))
    detector = NetworkDetector(name, "in training", network)
    summaries = []
    for path in sets:
        opened = open_pairs(path)
        dataset = PerturbedPairs(opened, Perturbation(), donor_too=False)
        lines = [
            format_row(opened, index, counts)
            for scored in score_batches(detector, dataset, opened.indices[:pairs], options)
            for index, counts in scored
        ]
        summary = summarise(read_lines(opened, lines).scored_pairs(), resamples=0)
        summaries.append({"set": path.absolute().name, **summary})
    return summaries
