"""Metrics of scores against labels (protocol, section 6).

Where definitions differ, the choice has a name:

- ``eer``: NIST's scorer walks the vertices of scikit-learn's ROC, from which collinear points
  have been dropped (``vertices='kept'``); with every threshold (``'all'``) the nearest vertex may
  be another one; ``'crossing'`` is the point where the straight lines between vertices meet
  FPR = FNR, which does not depend on either.
- AUC is the same under all of them: the trapezoid rule is the Mann-Whitney statistic.

One class alone leaves all curves undefined: NaN.
"""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Vertices = Literal["kept", "all", "crossing"]
VERTICES: tuple[Vertices, ...] = ("kept", "all", "crossing")


class Roc(NamedTuple):
    """The vertices of a ROC from (0, 0) to (1, 1), float64, falling thresholds."""

    fpr: Floats
    tpr: Floats
    thresholds: Floats


def check_scores(
    labels: npt.ArrayLike, scores: npt.ArrayLike
) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Return labels as bool (n,) and scores as float64 (n,).

    Args:
        labels: Labels of the pairs, 1 (or True) positive and 0 (or False) negative, (n,).
        scores: Scores of the pairs, higher is more positive, (n,); may be infinite.

    Raises:
        ValueError: The lengths differ, a label is neither 0 nor 1, or a score is NaN.
    """
    given, values = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if given.shape != values.shape or given.ndim != 1:
        raise ValueError(
            f"expected labels and scores of one length, got {given.shape} and {values.shape}."
        )
    other = given[(given != 0) & (given != 1)]
    if len(other):
        raise ValueError(f"expected labels 0 and 1, got {other[0]!s}.")
    if np.isnan(values).any():
        raise ValueError(f"expected scores, got {int(np.isnan(values).sum())} NaN.")
    return given == 1, values


def find_tie_ends(values: Floats) -> npt.NDArray[np.int64]:
    """Return the places of sorted values (n,) that are followed by another value, and the last.

    >>> find_tie_ends(np.array([2.0, np.inf, np.inf])).tolist()
    [0, 2]
    """
    ends = values[1:] != values[:-1]  # not by differences: inf - inf is NaN
    return np.flatnonzero(np.concatenate([ends, np.ones(min(1, len(values)), dtype=bool)]))


def roc(labels: npt.ArrayLike, scores: npt.ArrayLike, *, drop: bool = True) -> Roc:
    """Return the ROC, as scikit-learn's ``roc_curve`` does.

    Args:
        labels: Labels of the pairs, 1 is positive, (n,).
        scores: Scores of the pairs, higher is more positive, (n,).
        drop: Leave out points on the straight line between their neighbours, as NIST's scorer
            does by scikit-learn's default.

    Returns:
        Its vertices; all NaN where there is one class alone.

    Raises:
        ValueError: The lengths differ, a label is neither 0 nor 1, or a score is NaN.
    """
    truth, values = check_scores(labels, scores)
    order = np.argsort(-values, kind="stable")
    truth, values = truth[order], values[order]
    last = find_tie_ends(values)
    tps = np.cumsum(truth)[last]
    fps = 1 + last - tps
    tps, fps = np.concatenate([[0], tps]), np.concatenate([[0], fps])
    thresholds = np.concatenate([[np.inf], values[last]])
    if drop and len(tps) > 3:
        # The first of these is the origin, which scikit-learn adds after dropping.
        bent = np.logical_or(np.diff(fps[1:], 2), np.diff(tps[1:], 2))
        kept = np.concatenate([[True, True], bent, [True]])
        tps, fps, thresholds = tps[kept], fps[kept], thresholds[kept]
    with np.errstate(invalid="ignore"):
        fpr, tpr = fps / np.float64(fps[-1]), tps / np.float64(tps[-1])
    if not (fps[-1] and tps[-1]):
        fpr, tpr = np.full(len(fps), np.nan), np.full(len(tps), np.nan)
    return Roc(fpr, tpr, thresholds)


def auc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the area under the ROC, the chance that a positive scores above a negative.

    Ties count one half. NaN for one class alone.

    >>> auc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    0.75
    """
    curve = roc(labels, scores, drop=False)
    if np.isnan(curve.fpr).any():
        return float("nan")
    return float(np.sum(np.diff(curve.fpr) * (curve.tpr[1:] + curve.tpr[:-1])) / 2)


def eer(labels: npt.ArrayLike, scores: npt.ArrayLike, vertices: Vertices = "kept") -> float:
    """Return the equal error rate, where FPR and FNR = 1 - TPR meet; NaN for one class alone.

    ``kept`` and ``all``: (FPR + FNR) / 2 at the first vertex with the smallest ``|FPR - FNR|``,
    without interpolation (NIST). ``crossing``: on the straight line between two vertices.

    >>> eer([1, 1, 0, 0], [0.9, 0.2, 0.8, 0.1])
    0.5
    """
    curve = roc(labels, scores, drop=vertices == "kept")
    fnr = 1 - curve.tpr
    gap = curve.fpr - fnr
    if np.isnan(gap).any():
        return float("nan")
    if vertices == "crossing":
        after = int(np.argmax(gap >= 0))  # gap rises from -1 to 1
        step = gap[after] - gap[after - 1]
        share = -gap[after - 1] / step
        return float(curve.fpr[after - 1] + share * (curve.fpr[after] - curve.fpr[after - 1]))
    at = int(np.argmin(np.abs(gap)))
    return float((curve.fpr[at] + fnr[at]) / 2)


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the sum of precision times the step of recall, as scikit-learn defines it.

    NaN for one class alone: without negatives every method would have 1.

    >>> round(average_precision([1, 0, 1], [0.9, 0.8, 0.7]), 4)
    0.8333
    """
    truth, values = check_scores(labels, scores)
    if not truth.any() or truth.all():
        return float("nan")
    order = np.argsort(-values, kind="stable")
    truth, values = truth[order], values[order]
    last = find_tie_ends(values)
    tps = np.cumsum(truth)[last]
    precision, recall = tps / (1 + last), tps / tps[-1]
    return float(np.sum(np.diff(np.concatenate([[0], recall])) * precision))


class AtThreshold(NamedTuple):
    """Precision, recall and their F1, each 0 to 1 or NaN where nothing could be divided."""

    precision: float
    recall: float
    f1: float


def at_threshold(
    labels: npt.ArrayLike, scores: npt.ArrayLike, threshold: float = 0.5
) -> AtThreshold:
    """Return precision, recall and F1 of calling positive what scores above the threshold.

    Precision is NaN where nothing is called positive, recall where nothing is positive. For one
    class alone precision and F1 are NaN: without negatives every call would be right.

    >>> at_threshold([1, 1, 0, 0], [0.9, 0.4, 0.8, 0.1])
    AtThreshold(precision=0.5, recall=0.5, f1=0.5)
    """
    truth, values = check_scores(labels, scores)
    called = values > threshold
    tp, positive, true = (int(np.sum(x)) for x in (called & truth, called, truth))
    nan = float("nan")
    both = 0 < true < len(truth)
    return AtThreshold(
        tp / positive if positive and both else nan,
        tp / true if true else nan,
        2 * tp / (positive + true) if both else nan,
    )
