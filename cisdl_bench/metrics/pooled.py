"""Numbers of a set from its summed counts, as data sets' own conventions ask for (``POOLED``)."""

from math import nan

import numpy as np

from cisdl_bench.metrics import checked
from cisdl_bench.metrics.counts import Counts
from cisdl_bench.metrics.registry import POOLED
from cisdl_bench.metrics.summary import ScoredPairs
from cisdl_bench.records import UNLABELLED


def pool_pixels(pairs: ScoredPairs) -> Counts:
    """Return the pixels of all masks of labelled pairs, as far as their truth is known.

    Args:
        pairs: Counts of the set's pairs.
    """
    counted = pairs.known & (pairs.labels != UNLABELLED)[:, None]
    return Counts(*(np.asarray(pixels[counted].sum()) for pixels in pairs.counts))


def pool_pairs(pairs: ScoredPairs) -> Counts:
    """Return the labelled pairs by label and answer: positive where either mask has a pixel.

    Pairs that have no mask are left out.

    Args:
        pairs: Counts of the set's pairs.
    """
    answered = (pairs.labels != UNLABELLED) & ~np.isnan(pairs.inside).all(axis=1)
    called = (pairs.counts.tp + pairs.counts.fp).sum(axis=1)[answered] > 0
    true = pairs.labels[answered] == 1
    table = (called & true, called & ~true, ~called & true, ~called & ~true)
    return Counts(*(np.asarray(np.count_nonzero(cell)) for cell in table))


def summarise_pooled(pairs: ScoredPairs) -> dict[str, float]:
    """Return the numbers of ``POOLED``; NaN where one is undefined.

    Args:
        pairs: Counts of the set's pairs.

    Raises:
        MetricError: A metric fails, or leaves its range.
    """
    pixels, answers = pool_pixels(pairs), pool_pairs(pairs)
    numbers = {
        name: float(checked.pool(name, answers if name.startswith("image_") else pixels))
        for name in POOLED
    }
    if not (answers.tp + answers.fn and answers.fp + answers.tn):
        numbers["image_mcc"] = nan
    return numbers
