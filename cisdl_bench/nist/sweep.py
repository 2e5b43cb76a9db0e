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
        counts: Numbers of pixels at each threshold, each int64, (257,).
        used: Thresholds that occur, -1 and the levels of the mask: bool, (257,).
    """

    counts: Counts
    used: npt.NDArray[np.bool_]


def sweep(levels: Pixels, target: Mask, scored: Mask) -> Sweep:
    """Return the counts of a grey mask at every threshold.

    Args:
        levels: Grey levels of a system's mask, uint8, (H, W); dark is manipulated.
        target: Manipulated pixels of the reference, bool, (H, W).
        scored: Pixels that count, bool, (H, W).

    >>> mask = sweep(np.uint8([[0, 9, 9, 255]]), np.array([[1, 1, 0, 0]]) > 0, np.ones((1, 4)) > 0)
    >>> [count[[0, 1, 10, 256]].tolist() for count in mask.counts[:2]]
    [[0, 1, 2, 2], [0, 0, 1, 2]]
    """
    inside, outside = (
        np.bincount(levels[scored & side], minlength=256) for side in (target, ~target)
    )
    tp, fp = (np.concatenate([[0], np.cumsum(histogram)]) for histogram in (inside, outside))
    used = np.concatenate([[True], np.bincount(levels[scored], minlength=256) > 0])
    return Sweep(Counts(tp, fp, tp[-1] - tp, fp[-1] - fp), used)


def counts_at(mask: Sweep, threshold: int) -> Counts:
    """Return the counts at one threshold, -1 to 255."""
    return Counts(*(count[threshold + 1] for count in mask.counts))


def best_threshold(mask: Sweep) -> int:
    """Return the lowest threshold of the highest MCC, among -1 and the mask's own levels (NIST)."""
    mcc = np.where(mask.used, localization.mcc(mask.counts), -np.inf)
    return int(THRESHOLDS[np.argmax(np.nan_to_num(mcc, nan=-np.inf))])


def best_common_threshold(masks: Sequence[Sweep]) -> int:
    """Return the lowest threshold with the highest sum of MCC over masks (NIST's Maximum)."""
    used = np.any([mask.used for mask in masks], axis=0)
    total = np.sum([localization.mcc(mask.counts) for mask in masks], axis=0)
    return int(THRESHOLDS[np.argmax(np.where(used, total, -np.inf))])


class Curve(NamedTuple):
    """False and true positive rates from (0, 0) on, rising."""

    fpr: Floats
    tpr: Floats

    def auc(self) -> float:
        """Return the area below it, by trapezoids."""
        return float(np.trapezoid(self.tpr, self.fpr))

    def eer(self) -> float:
        """Return (FPR + FNR) / 2 at the first point of the smallest ``|FPR - FNR|`` (NIST)."""
        fnr = 1 - self.tpr
        at = int(np.argmin(np.abs(self.fpr - fnr)))
        return float((self.fpr[at] + fnr[at]) / 2)


def pixel_roc(mask: Sweep) -> Curve:
    """Return the ROC of one mask's pixels over its own levels; NaN where one class is missing."""
    tp, fp, fn, tn = (count[mask.used].astype(np.float64) for count in mask.counts)
    with np.errstate(invalid="ignore"):
        return Curve(fp / (fp + tn), tp / (tp + fn))


def pooled_auc(masks: Sequence[Sweep]) -> float:
    """Return the AUC of all masks' pixels together (NIST's PixelAverageAUC)."""
    counts = Counts(*(np.sum([mask.counts[k] for mask in masks], axis=0) for k in range(4)))
    return pixel_roc(Sweep(counts, np.ones(len(THRESHOLDS), dtype=bool))).auc()


def mean_auc(masks: Sequence[Sweep]) -> float:
    """Return the AUC of the mean of all masks' rates at each threshold (NIST's MaskAverageAUC)."""
    everywhere = np.ones(len(THRESHOLDS), dtype=bool)
    curves = [pixel_roc(Sweep(mask.counts, everywhere)) for mask in masks]
    mean_fpr = np.mean([curve.fpr for curve in curves], axis=0)
    mean_tpr = np.mean([curve.tpr for curve in curves], axis=0)
    return Curve(mean_fpr, mean_tpr).auc()


def grey_loss(levels: Pixels, target: Mask, scored: Mask) -> float:
    """Return the mean of ``|reference - system| / 255`` over scored pixels, NIST's GWL1.

    NaN where no pixel is scored.

    >>> grey_loss(np.uint8([[0, 51]]), np.array([[True, True]]), np.array([[True, True]]))
    0.1
    """
    if not scored.any():
        return float("nan")
    reference = np.where(target, 0, 255)
    difference = np.abs(reference - levels.astype(np.int64))[scored]
    return float(difference.mean() / 255)
