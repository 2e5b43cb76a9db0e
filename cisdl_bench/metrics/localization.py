"""Metrics of one mask from its four counts (protocol, section 5), vectorised over masks.

Undefined is NaN, and two published conventions define some of it:

- ``nist``: NMM is NaN where the reference is empty. MCC is 0 where a row or column of the table
  is empty, and NaN where nothing is scored (MediScore).
- ``release``: NMM is 0 where the reference is empty (the DMAC authors' test code); MCC is 0
  wherever its root is 0.

IoU and F1 are NaN where both masks are empty, under both.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from cisdl_bench.metrics.counts import Counts

Floats = npt.NDArray[np.float64]
Convention = Literal["nist", "release"]
CONVENTIONS: tuple[Convention, ...] = ("nist", "release")


def ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> Floats:
    """Return above / below in float64, NaN where below is 0."""
    upper, lower = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    result = np.full(np.broadcast(upper, lower).shape, np.nan)
    np.divide(upper, lower, out=result, where=lower != 0)
    return result


def iou(counts: Counts) -> Floats:
    """Return TP / (TP + FP + FN), 0 to 1; NaN where both masks are empty.

    >>> from cisdl_bench.metrics.counts import Counts
    >>> float(iou(Counts(*np.array([2, 1, 1, 5]))))
    0.5
    """
    return ratio(counts.tp, counts.tp + counts.fp + counts.fn)


def f1(counts: Counts) -> Floats:
    """Return 2 TP / (2 TP + FP + FN), 0 to 1; NaN where both masks are empty.

    >>> from cisdl_bench.metrics.counts import Counts
    >>> round(float(f1(Counts(*np.array([2, 1, 1, 5])))), 4)
    0.6667
    """
    return ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)


def mcc(counts: Counts, convention: Convention = "nist") -> Floats:
    """Return Matthews' correlation coefficient, -1 to 1.

    (TP TN - FP FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN)); 0 where the root is 0. Under
    ``nist`` NaN where no pixel is scored.

    Exactly 1 for a perfect mask and exactly -1 for its inverse, for masks of up to 94,906,265
    pixels (2 ** 26.5), where every product of two counts is exact in float64; beyond that the
    relative error is about 1e-15. Nothing overflows.

    >>> from cisdl_bench.metrics.counts import Counts
    >>> float(mcc(Counts(*np.array([16, 0, 0, 16])))), float(mcc(Counts(*np.array([9, 7, 0, 0]))))
    (1.0, 0.0)
    """
    tp, fp, fn, tn = (np.asarray(x, dtype=np.float64) for x in counts)
    above = tp * tn - fp * fn
    # Two factors a root, paired so that both roots are of squares where the masks agree (the first
    # way) or are each other's inverse (the second).
    root = np.where(
        above >= 0,
        np.sqrt((tp + fp) * (tp + fn)) * np.sqrt((tn + fp) * (tn + fn)),
        np.sqrt((tp + fp) * (tn + fp)) * np.sqrt((tp + fn) * (tn + fn)),
    )
    result: Floats = np.divide(above, root, out=np.zeros_like(root), where=root != 0)
    if convention == "nist":
        result = np.where(tp + fp + fn + tn == 0, np.nan, result)
    return result


def nmm(counts: Counts, convention: Convention = "nist") -> Floats:
    """Return NIST's Nimble mask metric, max(-1, (TP - FN - FP) / (TP + FN)), -1 to 1.

    An empty reference gives NaN under ``nist`` and 0 under ``release``.

    >>> from cisdl_bench.metrics.counts import Counts
    >>> float(nmm(Counts(*np.array([6, 1, 2, 7]))))
    0.375
    """
    reference = np.asarray(counts.tp + counts.fn)
    result = np.maximum(ratio(counts.tp - counts.fn - counts.fp, reference), -1.0)
    return np.where(reference == 0, 0.0, result) if convention == "release" else result


def bwl1(counts: Counts) -> Floats:
    """Return NIST's binary weighted L1 loss, the share of wrong pixels; NaN where none is scored.

    >>> from cisdl_bench.metrics.counts import Counts
    >>> float(bwl1(Counts(*np.array([6, 1, 3, 6]))))
    0.25
    """
    wrong = counts.fp + counts.fn
    return ratio(wrong, wrong + counts.tp + counts.tn)
