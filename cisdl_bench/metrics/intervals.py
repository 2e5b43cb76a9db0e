"""Bootstrap intervals over pairs, and a paired test between two detectors on the same pairs.

A pair is drawn as a whole, with both its masks. Resamples are keyed by a seed and drawn with
``random()`` alone, so an interval is the same on every machine.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.metrics import detection
from cisdl_bench.seeding import stream

Floats = npt.NDArray[np.float64]
_BLOCK = 1_000_000  # numbers drawn at a time


class Interval(NamedTuple):
    """The percentile interval of a statistic; NaN where fewer than two values stand."""

    low: float
    high: float


def weights(n: int, resamples: int = 2000, seed: int = 0) -> Iterator[Floats]:
    """Yield how often each of n pairs is drawn in each resample, blocks of (some, n).

    >>> [block.sum(axis=1).tolist() for block in weights(5, resamples=3)]
    [[5.0, 5.0, 5.0]]
    """
    rng = stream(seed, "bootstrap")
    rows = max(1, _BLOCK // max(n, 1))
    for start in range(0, resamples, rows):
        m = min(rows, resamples - start)
        places = (rng.random((m, n)) * n).astype(np.int64)
        places += n * np.arange(m)[:, None]
        yield np.bincount(places.ravel(), minlength=m * n).reshape(m, n).astype(np.float64)


def mean_defined(values: npt.ArrayLike) -> float:
    """Return the mean of what is not NaN; NaN where nothing is left.

    The sum is rounded once, so that the order of the values does not matter.
    """
    array = np.asarray(values, dtype=np.float64)
    defined = array[~np.isnan(array)]
    return math.fsum(defined) / len(defined) if len(defined) else float("nan")


def bootstrap_means(
    values: npt.ArrayLike, *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> list[Interval]:
    """Return the interval of the mean of each column.

    Args:
        values: k metrics of n pairs of m masks each, (n, k, m); NaN is undefined and left out.
        resamples: Number of bootstrap resamples.
        seed: Seed of the resamples.
        level: Share of the bootstrap distribution inside the interval.
    """
    array = np.asarray(values, dtype=np.float64)
    defined = ~np.isnan(array)
    sums = np.where(defined, array, 0).sum(axis=2)
    counts = defined.sum(axis=2).astype(np.float64)
    blocks = []
    for block in weights(len(array), resamples, seed):
        total, n = block @ sums, block @ counts
        blocks.append(np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0))
    means = np.concatenate(blocks)
    return [_percentiles(column, level) for column in means.T]


def bootstrap_auc(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return the interval of the AUC; resamples of one class alone are left out."""
    aucs = resampled_auc(labels, scores, resamples, seed)
    return _percentiles(aucs, level)


def bootstrap_statistic(
    compute: Callable[[npt.NDArray[np.int64], Floats], float],
    labels: npt.NDArray[np.int64],
    scores: Floats,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return the interval of any statistic of labels and scores; NaN resamples are left out.

    Args:
        compute: Function of the labels and scores of the pairs that were drawn.
        labels: Labels of the pairs, 1 is positive, (n,).
        scores: Scores of the pairs, (n,).
        resamples: Number of bootstrap resamples.
        seed: Seed of the resamples.
        level: Share of the bootstrap distribution inside the interval.
    """
    values = []
    for block in weights(len(labels), resamples, seed):
        for counts in block:
            pairs = np.repeat(np.arange(len(labels)), counts.astype(np.int64))
            values.append(compute(labels[pairs], scores[pairs]))
    return _percentiles(np.array(values), level)


def resampled_auc(
    labels: npt.ArrayLike, scores: npt.ArrayLike, resamples: int = 2000, seed: int = 0
) -> Floats:
    """Return the AUC of each resample, float64 (resamples,); NaN where one class alone was drawn.

    The same seed draws the same pairs, whatever the scores.
    """
    truth, values = detection.check_scores(labels, scores)
    if truth.all() or not truth.any():
        return np.full(resamples, np.nan)
    order = np.argsort(values, kind="stable")
    truth = truth[order]
    starts = np.concatenate([[0], detection.find_tie_ends(values[order])[:-1] + 1])
    blocks = []
    for block in weights(len(truth), resamples, seed):
        w = block[:, order]
        positive = np.add.reduceat(w * truth, starts, axis=1)
        negative = np.add.reduceat(w * ~truth, starts, axis=1)
        below = np.cumsum(negative, axis=1) - negative
        wins = (positive * (below + negative / 2)).sum(axis=1)
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        blocks.append(np.divide(wins, pairs, out=np.full_like(wins, np.nan), where=pairs > 0))
    return np.concatenate(blocks)


class PairedTest(NamedTuple):
    """What a paired comparison of two detectors says, b minus a.

    Attributes:
        difference: Mean difference over the pairs for which both detectors have a value.
        interval: Bootstrap interval of the difference.
        p_value: Two-sided p-value of the sign-flip test, (1 + more extreme) / (1 + flips).
        n: Number of pairs for which both detectors have a value.
    """

    difference: float
    interval: Interval
    p_value: float
    n: int


def paired_test(
    a: npt.ArrayLike, b: npt.ArrayLike, *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> PairedTest:
    """Return the comparison of two detectors' values on the same pairs.

    Under the null hypothesis a pair's difference is as likely to have either sign (Fisher's
    permutation test).

    Args:
        a: Value of each pair by the first detector, (n,); NaN is undefined.
        b: Value or score of each pair by the second detector, (n,).
        resamples: Number of bootstrap resamples, and of sign flips.
        seed: Seed of the resamples.
        level: Share of the bootstrap distribution inside the interval.

    >>> paired_test([0.0, 0.5, 0.25], [0.5, 1.0, 0.75]).difference
    0.5
    """
    first, second = (np.asarray(x, dtype=np.float64) for x in (a, b))
    difference = second - first
    difference = difference[~np.isnan(difference)]
    n = len(difference)
    nan = float("nan")
    if not n:
        return PairedTest(nan, Interval(nan, nan), nan, 0)
    mean = float(difference.mean())
    interval = bootstrap_means(
        difference[:, None, None], resamples=resamples, seed=seed, level=level
    )[0]
    rng = stream(seed, "sign flips")
    extreme = 0
    rows = max(1, _BLOCK // n)
    for start in range(0, resamples, rows):
        signs = np.where(rng.random((min(rows, resamples - start), n)) < 0.5, -1.0, 1.0)
        # Sums that are equal in mathematics may differ in the last bits.
        extreme += int(np.sum(np.abs(signs @ difference) / n >= abs(mean) * (1 - 1e-12)))
    return PairedTest(mean, interval, (1 + extreme) / (1 + resamples), n)


def paired_auc(
    labels: npt.ArrayLike,
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> PairedTest:
    """Return the comparison of two detectors' AUC on the same pairs, b minus a.

    Both are computed on the same resamples of pairs; the p-value is twice the share of resamples
    on the rarer side of 0, counting 0 as either, (1 + those) / (1 + resamples), at most 1.

    Args:
        labels: Labels of the pairs, 1 is positive, (n,).
        a: Score of each pair by the first detector, (n,).
        b: Value or score of each pair by the second detector, (n,).
        resamples: Number of bootstrap resamples.
        seed: Seed of the resamples.
        level: Share of the bootstrap distribution inside the interval.
    """
    both = [resampled_auc(labels, scores, resamples, seed) for scores in (a, b)]
    differences = both[1] - both[0]
    differences = differences[~np.isnan(differences)]
    nan = float("nan")
    if not len(differences):
        return PairedTest(nan, Interval(nan, nan), nan, 0)
    difference = detection.auc(labels, b) - detection.auc(labels, a)
    rarer = min(int(np.sum(differences <= 0)), int(np.sum(differences >= 0)))
    p_value = min(1.0, 2 * (1 + rarer) / (1 + len(differences)))
    return PairedTest(
        difference, _percentiles(differences, level), p_value, len(np.asarray(labels))
    )


def _percentiles(values: Floats, level: float) -> Interval:
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
