"""A grey mask at every threshold at once: NIST's optimum, fixed and common thresholds.

A system's mask has 8 bits, dark is manipulated: a pixel is called manipulated when its level is at
most t, for t from -1 (nothing) to 255 (all).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.metrics import localization
from cisdl_bench.metrics.counts import Counts
from cisdl_bench.records import Mask, Pixels

Floats = npt.NDArray[np.float64]
THRESHOLDS = np.arange(-1, 256)


class Sweep(NamedTuple):
    """One mask's counts at each of ``THRESHOLDS``.

    Attributes:
        counts: Each int64, (257,).
        used: bool, (257,), thresholds that occur: -1 and the levels of the mask.
    """

    counts: Counts
    used: npt.NDArray[np.bool_]


def sweep(levels: Pixels, target: Mask, scored: Mask) -> Sweep:
    """Return the counts of a grey mask at every threshold.

    Args:
        levels: uint8, (H, W); dark is manipulated.
        target: bool, (H, W).
        scored: bool, (H, W).

    >>> found = sweep(np.uint8([[0, 9, 9, 255]]), np.array([[1, 1, 0, 0]]) > 0, np.ones((1, 4)) > 0)
    >>> [count[[0, 1, 10, 256]].tolist() for count in found.counts[:2]]
    [[0, 1, 2, 2], [0, 0, 1, 2]]
    """
    inside, outside = (
        np.bincount(levels[scored & side], minlength=256) for side in (target, ~target)
    )
    tp, fp = (np.concatenate([[0], np.cumsum(histogram)]) for histogram in (inside, outside))
    used = np.concatenate([[True], np.bincount(levels[scored], minlength=256) > 0])
    return Sweep(Counts(tp, fp, tp[-1] - tp, fp[-1] - fp), used)


def at(found: Sweep, threshold: int) -> Counts:
    """Return the counts at one threshold, -1 to 255."""
    return Counts(*(count[threshold + 1] for count in found.counts))


def optimum(found: Sweep) -> int:
    """Return the lowest threshold of the highest MCC, among -1 and the mask's own levels (NIST)."""
    mcc = np.where(found.used, localization.mcc(found.counts), -np.inf)
    return int(THRESHOLDS[np.argmax(np.nan_to_num(mcc, nan=-np.inf))])


def common_optimum(masks: Sequence[Sweep]) -> int:
    """Return the lowest threshold with the highest sum of MCC over masks (NIST's Maximum)."""
    used = np.any([found.used for found in masks], axis=0)
    total = np.sum([localization.mcc(found.counts) for found in masks], axis=0)
    return int(THRESHOLDS[np.argmax(np.where(used, total, -np.inf))])


class Curve(NamedTuple):
    """False and true positive rates from (0, 0) on, rising."""

    fpr: Floats
    tpr: Floats

    def auc(self) -> float:
        """Return the area below it, by trapezoids."""
        return float(np.trapezoid(self.tpr, self.fpr))

    def eer(self) -> float:
        """Return (FPR + FNR) / 2 at the first point of the smallest |FPR - FNR| (NIST)."""
        fnr = 1 - self.tpr
        at = int(np.argmin(np.abs(self.fpr - fnr)))
        return float((self.fpr[at] + fnr[at]) / 2)


def curve(found: Sweep) -> Curve:
    """Return the ROC of one mask's pixels over its own levels; NaN where one class is missing."""
    tp, fp, fn, tn = (count[found.used].astype(np.float64) for count in found.counts)
    with np.errstate(invalid="ignore"):
        return Curve(fp / (fp + tn), tp / (tp + fn))


def pooled_auc(masks: Sequence[Sweep]) -> float:
    """Return the AUC of all masks' pixels together (NIST's PixelAverageAUC)."""
    counts = Counts(*(np.sum([found.counts[k] for found in masks], axis=0) for k in range(4)))
    return curve(Sweep(counts, np.ones(len(THRESHOLDS), dtype=bool))).auc()


def mean_auc(masks: Sequence[Sweep]) -> float:
    """Return the AUC of the mean of all masks' rates at each threshold (NIST's MaskAverageAUC)."""
    whole = [curve(Sweep(found.counts, np.ones(len(THRESHOLDS), dtype=bool))) for found in masks]
    mean = Curve(*(np.mean([each[k] for each in whole], axis=0) for k in range(2)))
    return mean.auc()


def grey_loss(levels: Pixels, target: Mask, scored: Mask) -> float:
    """Return the mean of |reference - system| / 255 over scored pixels (NIST's GWL1); NaN for none.

    >>> grey_loss(np.uint8([[0, 51]]), np.array([[True, True]]), np.array([[True, True]]))
    0.1
    """
    if not scored.any():
        return float("nan")
    reference = np.where(target, 0, 255)
    difference = np.abs(reference - levels.astype(np.int64))[scored]
    return float(difference.mean() / 255)
