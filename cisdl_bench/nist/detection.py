"""Detection as NIST's scorer reports it beyond AUC and EER: up to a false alarm rate, with bounds.

Definitions of MediScore's DetectionScorer, found by running it: the vertices are those of
scikit-learn's ROC without collinear points; nothing is interpolated but the rate of ``rate_at``.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.metrics import detection
from cisdl_bench.metrics.detection import Roc

#: NIST's default false alarm rate, level of its bounds, number and seed of its resamples.
FAR_STOP, LEVEL, RESAMPLES, SEED = 0.1, 0.9, 500, 77


class Bounds(NamedTuple):
    """The ends of a bootstrap interval."""

    lower: float
    upper: float


def area_at(labels: npt.ArrayLike, scores: npt.ArrayLike, stop: float = FAR_STOP) -> float:
    """Return AUC@FAR: the area of the ROC's whole trapezoids that end at FPR ``stop`` or before.

    Not interpolated and not divided by ``stop``: perfect separation has 0. NaN for one class alone.

    >>> area_at([1, 1, 0, 0], [0.9, 0.2, 0.8, 0.1], 0.5)
    0.25
    """
    return _area(detection.roc(labels, scores), stop)


def _area(curve: Roc, stop: float) -> float:
    if np.isnan(curve.fpr).any():
        return float("nan")
    n = int(np.count_nonzero(curve.fpr <= stop))
    fpr, tpr = curve.fpr[:n], curve.tpr[:n]
    return float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1])) / 2)


def rate_at(labels: npt.ArrayLike, scores: npt.ArrayLike, stop: float = FAR_STOP) -> float:
    """Return CDR@FAR: the TPR at FPR ``stop``, on the straight line between two vertices.

    Where vertices have just that FPR, the first of them, of the lowest TPR. NaN for one class
    alone.

    >>> rate_at([1, 1, 0, 0], [0.9, 0.2, 0.8, 0.1], 0.25)
    0.5
    """
    return _rate(detection.roc(labels, scores), stop)


def _rate(curve: Roc, stop: float) -> float:
    if np.isnan(curve.fpr).any():
        return float("nan")
    at = np.flatnonzero(curve.fpr == stop)
    return float(curve.tpr[at[0]] if len(at) else np.interp(stop, curve.fpr, curve.tpr))


def bounds(
    labels: npt.ArrayLike, scores: npt.ArrayLike, stop: float = FAR_STOP
) -> dict[str, Bounds]:
    """Return NIST's 90% bootstrap bounds of ``AUC``, ``AUC@FAR`` and ``CDR@FAR``.

    Trials are drawn with numpy's ``RandomState(77)``, 500 times; the bounds are the values in
    places 25 and 475 after Python's ``sorted``. Resamples of one class take part as NIST's scorer
    has them: areas are 0 without negatives, AUC is NaN without positives, rates are NaN; sorting
    with NaN leaves an order that depends on that of the trials, and on Python: from 3.13 on
    ``sorted`` is another algorithm than NIST's was, so bounds of few trials may differ there.

    Args:
        labels: Labels of the trials, 1 is positive, (n,).
        scores: Confidence scores, higher is more positive, (n,).
        stop: False alarm rate up to which areas and rates are taken.

    Returns:
        Bounds by name; all NaN for one class alone.
    """
    truth, values = detection.check_scores(labels, scores)
    nan = float("nan")
    if truth.all() or not truth.any():
        return dict.fromkeys(("AUC", "AUC@FAR", "CDR@FAR"), Bounds(nan, nan))
    rng = np.random.RandomState(SEED)
    resampled: dict[str, list[float]] = {"AUC": [], "AUC@FAR": [], "CDR@FAR": []}
    for _ in range(RESAMPLES):
        places = rng.randint(0, len(truth), len(truth))
        some_labels, some_scores = truth[places], values[places]
        if some_labels.all() or not some_labels.any():
            resampled["AUC"].append(0.0 if some_labels.all() else nan)
            resampled["AUC@FAR"].append(0.0)
            resampled["CDR@FAR"].append(nan)
            continue
        curve = detection.roc(some_labels, some_scores)
        resampled["AUC"].append(_area(curve, 1.0))
        resampled["AUC@FAR"].append(_area(curve, stop))
        resampled["CDR@FAR"].append(_rate(curve, stop))
    share = (1 - LEVEL) / 2
    lower, upper = (int(round(end, 3) * RESAMPLES) for end in (share, 1 - share))
    ordered = {name: sorted(values) for name, values in resampled.items()}
    return {name: Bounds(values[lower], values[upper]) for name, values in ordered.items()}
