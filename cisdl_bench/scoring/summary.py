"""From rows to numbers: means over masks, detection metrics, and their intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cisdl_bench.metrics import detection, intervals, localization, mask_score
from cisdl_bench.metrics.localization import Convention
from cisdl_bench.records import UNLABELLED
from cisdl_bench.scoring.rows import Rows

Floats = npt.NDArray[np.float64]

LOCALIZATION = ("iou", "mcc", "nmm", "f1")
#: How a pair is scored: the paper's mask-based score, DMVN-loc's share of pixels, the detector's
#: own probability; and above which value a pair is called positive (protocol, section 6).
RULES = {"mask": 0.5, "share": 0.0, "own": 0.5}
DETECTION = ("precision", "recall", "f1", "auc", "eer", "ap")


def detection_names(rule: str) -> list[str]:
    """Return the names of a rule's numbers in a summary.

    >>> detection_names("own")[:2]
    ['own_precision', 'own_recall']
    """
    return [f"{rule}_{name}" for name in DETECTION]


def has_both_labels(summary: Mapping[str, Any]) -> bool:
    """Return whether a set has positive and negative pairs: else there is nothing to detect."""
    return bool(summary["positive_pairs"] > 0 and summary["negative_pairs"] > 0)


def mask_values(rows: Rows, convention: Convention = "nist") -> Floats:
    """Return IoU, MCC, NMM and F1 of both masks of each pair, float64 (n, 4, 2).

    NaN where the truth of a mask is not known.
    """
    counts = rows.counts()
    values = (
        localization.iou(counts),
        localization.mcc(counts, convention),
        localization.nmm(counts, convention),
        localization.f1(counts),
    )
    return np.where(_known(rows)[:, None], np.stack(values, axis=1), np.nan)


def _known(rows: Rows) -> npt.NDArray[np.bool_]:
    return np.asarray(np.stack([rows["probe_known"], rows["donor_known"]], axis=1) == 1)


def pair_scores(rows: Rows, rule: str) -> Floats:
    """Return each pair's detection score, float64 (n,), by one of ``RULES``; NaN where none is."""
    if rule == "own":
        return rows["own_score"].astype(np.float64)
    if rule == "mask":
        return mask_score.pair_score(rows["probe_inside"], rows["donor_inside"])
    counts = rows.counts()
    with np.errstate(invalid="ignore"):
        shares = (counts.tp + counts.fp) / sum(counts)  # NaN where there is no mask
    return mask_score.pair_score(shares[:, 0], shares[:, 1])


def summarise(
    rows: Rows, *, convention: Convention = "nist", resamples: int = 2000, level: float = 0.95
) -> dict[str, Any]:
    """Return what a set's rows say.

    Localization is over both masks of all positive pairs (protocol, section 5), as far as their
    truth is known (``masks_unknown`` counts the others, ``masks_empty`` those of which the truth is
    known and empty); detection over all labelled pairs, NaN
    where a number needs negative (or positive) pairs and there are none.
    ``X_low`` and ``X_high`` are the bootstrap interval over pairs, ``X_undefined`` the number of
    masks left out of a mean because the metric is not defined on them.

    Args:
        rows: The set's.
        convention: For what NIST and the DMAC release define differently.
        resamples: Of the bootstrap; 0 leaves intervals out.
        level: Of the intervals.
    """
    positive = rows.where(rows["label"] == 1)
    known = _known(positive)
    found: dict[str, Any] = {
        "pairs": len(rows),
        "positive_pairs": len(positive),
        "negative_pairs": int(np.count_nonzero(rows["label"] == 0)),
        "unlabelled_pairs": int(np.count_nonzero(rows["label"] == UNLABELLED)),
        "masks_unknown": int(np.count_nonzero(~known)),
    }
    counts = positive.counts()
    found["masks_empty"] = int(np.count_nonzero(known & (counts.tp + counts.fn == 0)))
    values = mask_values(positive, convention)
    spans = intervals.bootstrap_means(values, resamples=resamples, level=level) if resamples else []
    for k, name in enumerate(LOCALIZATION):
        found[name] = intervals.mean_defined(values[:, k])
        found[f"{name}_undefined"] = int((np.isnan(values[:, k]) & known).sum())
        if spans:
            found[f"{name}_low"], found[f"{name}_high"] = spans[k]
    for rule in RULES:
        found.update(_detection(rows, rule, resamples, level))
    return found


def _detection(rows: Rows, rule: str, resamples: int, level: float) -> dict[str, Any]:
    labelled = rows.where(rows["label"] != UNLABELLED)
    scores, labels = pair_scores(labelled, rule), labelled["label"]
    if np.isnan(scores).any():
        return {}
    called = detection.at_threshold(labels, scores, RULES[rule])
    found = {
        "precision": called.precision,
        "recall": called.recall,
        "f1": called.f1,
        "auc": detection.auc(labels, scores),
        "eer": detection.eer(labels, scores),
        "ap": detection.average_precision(labels, scores),
    }
    if resamples:
        span = intervals.bootstrap_auc(labels, scores, resamples=resamples, level=level)
        found["auc_low"], found["auc_high"] = span
    return {f"{rule}_{name}": value for name, value in found.items()}
