"""From the counts and scores of pairs to a set's numbers: means, detection metrics, intervals."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.metrics import checked, intervals, mask_score
from cisdl_bench.metrics.counts import Counts
from cisdl_bench.metrics.localization import Convention
from cisdl_bench.metrics.registry import DETECTION, LOCALIZATION, RULES
from cisdl_bench.records import UNLABELLED

Floats = npt.NDArray[np.float64]


class ScoredPairs(NamedTuple):
    """What metrics need of a set's pairs.

    Attributes:
        labels: 1 (positive), 0 (negative) or -1 (not known), (n,).
        counts: Pixels of both masks, each (n, 2), probe first.
        known: Whether the truth of each mask is known, bool (n, 2).
        inside: Mean probability above the threshold in each mask, (n, 2); NaN without a mask.
        own_scores: The detector's own probability of each pair, (n,); NaN without one.
    """

    labels: npt.NDArray[np.int64]
    counts: Counts
    known: npt.NDArray[np.bool_]
    inside: Floats
    own_scores: Floats

    def where(self, chosen: npt.NDArray[np.bool_]) -> "ScoredPairs":
        """Return the pairs where a mask (n,) is True."""
        labels, counts, known, inside, own_scores = self
        part = Counts(*(pixels[chosen] for pixels in counts))
        return ScoredPairs(labels[chosen], part, known[chosen], inside[chosen], own_scores[chosen])


def mask_values(pairs: ScoredPairs, metric: str, convention: Convention = "nist") -> Floats:
    """Return a localization metric of both masks of each pair, float64 (n, 2).

    NaN where the metric is not defined, or the truth of a mask is not known.

    Raises:
        MetricError: The metric fails, or leaves its range.
    """
    values = checked.localize(metric, pairs.counts, convention)
    return np.where(pairs.known, values, np.nan)


def pair_scores(pairs: ScoredPairs, rule: str) -> Floats:
    """Return each pair's detection score, float64 (n,), by one of ``RULES``; NaN where none is."""
    if rule == "own":
        return pairs.own_scores
    if rule == "mask":
        return mask_score.pair_score(pairs.inside[:, 0], pairs.inside[:, 1])
    counts = pairs.counts
    with np.errstate(invalid="ignore"):
        shares = (counts.tp + counts.fp) / sum(counts)  # NaN where there is no mask
    return mask_score.pair_score(shares[:, 0], shares[:, 1])


def detection_names(rule: str) -> list[str]:
    """Return the names of a rule's numbers in a summary.

    >>> "own_recall" in detection_names("own")
    True
    """
    return [f"{rule}_{name}" for name in DETECTION]


def has_both_labels(summary: Mapping[str, Any]) -> bool:
    """Return whether a set has positive and negative pairs: else there is nothing to detect."""
    return bool(summary["positive_pairs"] > 0 and summary["negative_pairs"] > 0)


def summarise(
    pairs: ScoredPairs,
    *,
    convention: Convention = "nist",
    resamples: int = 2000,
    level: float = 0.95,
) -> dict[str, Any]:
    """Return the numbers of a set.

    Localization is over both masks of all positive pairs, as far as their truth is known
    (``masks_unknown`` counts the others, ``masks_empty`` those of which the truth is known and
    empty); detection over all labelled pairs, NaN where a number needs negative (or positive)
    pairs and there are none. ``X_low`` and ``X_high`` are the bootstrap interval over pairs,
    ``X_undefined`` the number of masks left out of a mean because the metric is not defined on
    them.

    Args:
        pairs: Counts and scores of the set's pairs.
        convention: Whose definition is taken where NIST's and the DMAC release's differ.
        resamples: Number of bootstrap resamples; 0 leaves intervals out.
        level: Share of the bootstrap distribution inside an interval.

    Raises:
        MetricError: A metric fails, or leaves its range.
    """
    positive = pairs.where(pairs.labels == 1)
    known, counts = positive.known, positive.counts
    summary: dict[str, Any] = {
        "pairs": len(pairs.labels),
        "positive_pairs": len(positive.labels),
        "negative_pairs": int(np.count_nonzero(pairs.labels == 0)),
        "unlabelled_pairs": int(np.count_nonzero(pairs.labels == UNLABELLED)),
        "masks_unknown": int(np.count_nonzero(~known)),
        "masks_empty": int(np.count_nonzero(known & (counts.tp + counts.fn == 0))),
    }
    values = [mask_values(positive, name, convention) for name in LOCALIZATION]
    spans = []
    if resamples:
        stacked = np.stack(values, axis=1)
        spans = intervals.bootstrap_means(stacked, resamples=resamples, level=level)
    for k, name in enumerate(LOCALIZATION):
        summary[name] = intervals.mean_defined(values[k])
        summary[f"{name}_undefined"] = int((np.isnan(values[k]) & known).sum())
        if spans:
            summary[f"{name}_low"], summary[f"{name}_high"] = spans[k]
    for rule in RULES:
        summary.update(_summarise_detection(pairs, rule, resamples, level))
    return summary


def _summarise_detection(
    pairs: ScoredPairs, rule: str, resamples: int, level: float
) -> dict[str, Any]:
    labelled = pairs.where(pairs.labels != UNLABELLED)
    labels, scores = labelled.labels, pair_scores(labelled, rule)
    if np.isnan(scores).any():
        return {}
    summary: dict[str, Any] = {}
    for name in DETECTION:
        value = checked.detect(name, labels, scores, RULES[rule].threshold)
        summary[f"{rule}_{name}"] = value
    for name in DETECTION if resamples else ():
        span = checked.detect_interval(name, labels, scores, resamples=resamples, level=level)
        if span:
            summary[f"{rule}_{name}_low"], summary[f"{rule}_{name}_high"] = span
    return summary
