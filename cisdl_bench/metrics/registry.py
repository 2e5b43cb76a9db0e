"""METRICS: every metric with how it is computed, its range, its direction and how it is printed.

Summaries, the schema of results, tables, figures, comparisons, the columns of ``evaluation.csv``
and the command line read these tables. A new metric is a function and an entry here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cisdl_bench.metrics import detection, localization
from cisdl_bench.metrics.intervals import Interval, bootstrap_auc


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        title: Name in headings and on axes, such as ``IoU``.
        compute: For localization a function of ``(counts, convention)`` that returns a value of
            each mask, an array of the counts' shape; for detection one of ``(labels, scores,
            threshold)`` that returns a number.
        low: Smallest possible value.
        high: Largest possible value.
        higher_is_better: Whether larger values are better.
        headline: Whether it stands in a set's line, in ``evaluation.csv`` and in growth curves.
        form: Format of a value on the command line, such as ``.4f``.
        interval: For detection, its bootstrap interval, a function of ``(labels, scores)`` with
            ``resamples`` and ``level``; None where there is none.
        definition: Sentence that says what the metric measures and when it is undefined.
    """

    title: str
    compute: Callable[..., Any]
    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool = True
    headline: bool = False
    form: str = ".4f"
    interval: Callable[..., Interval] | None = None
    definition: str = ""

    def show(self, value: float) -> str:
        """Return a value as the command line prints it."""
        return f"{value:{self.form}}"


#: Of a mask, by its counts.
LOCALIZATION: dict[str, Metric] = {
    "iou": Metric(
        "IoU",
        lambda counts, _: localization.iou(counts),
        headline=True,
        definition="Intersection over union of the found and the true region: TP / (TP + FP + FN) "
        "over pixels. Undefined where both are empty.",
    ),
    "mcc": Metric(
        "MCC",
        localization.mcc,
        low=-1.0,
        headline=True,
        definition="Matthews' correlation coefficient over pixels, (TP TN - FP FN) / sqrt((TP + FP)"
        "(TP + FN)(TN + FP)(TN + FN)): 1 is perfect, 0 no better than chance.",
    ),
    "nmm": Metric(
        "NMM",
        localization.nmm,
        low=-1.0,
        headline=True,
        definition="NIST's Nimble mask metric, max(-1, (TP - FN - FP) / (TP + FN)) over pixels. "
        "Undefined where the true region is empty.",
    ),
    "f1": Metric(
        "F1",
        lambda counts, _: localization.f1(counts),
        definition="Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN): over pixels "
        "for masks, over pairs for detection.",
    ),
}
#: Of a set, by the labels and scores of its pairs.
DETECTION: dict[str, Metric] = {
    "precision": Metric(
        "Precision",
        lambda *given: detection.at_threshold(*given).precision,
        definition="Share of the pairs called positive that are.",
    ),
    "recall": Metric(
        "Recall",
        lambda *given: detection.at_threshold(*given).recall,
        definition="Share of the positive pairs that are called so.",
    ),
    "f1": Metric("F1", lambda *given: detection.at_threshold(*given).f1),
    "auc": Metric(
        "AUC",
        lambda labels, scores, _: detection.auc(labels, scores),
        headline=True,
        interval=bootstrap_auc,
        definition="Area under the ROC: how often a positive pair scores above a negative one.",
    ),
    "eer": Metric(
        "EER",
        lambda labels, scores, _: detection.eer(labels, scores),
        higher_is_better=False,
        headline=True,
        definition="Equal error rate, (FPR + FNR) / 2 at the threshold where the two are nearest "
        "to each other, without interpolation (NIST). Smaller is better.",
    ),
    "ap": Metric(
        "AP",
        lambda labels, scores, _: detection.average_precision(labels, scores),
        definition="Average precision: the sum of precision times the step of recall.",
    ),
}


#: Of a set under a scoring convention that pools: by the counts of all its pixels ("pixels"), or
#: of its pairs, where a pair is called positive if a pixel is ("pairs"). A function of the counts.
POOLED: dict[str, Metric] = {
    "pooled_mcc": Metric(
        "Pooled MCC",
        lambda counts, _: localization.mcc(counts),
        low=-1.0,
        definition="MCC of the summed counts of both masks of all pairs, negative ones included.",
    ),
    "pooled_f1": Metric(
        "Pooled F1",
        lambda counts, _: localization.f1(counts),
        definition="F1 of the summed counts of both masks of all pairs, negative ones included.",
    ),
    "image_mcc": Metric(
        "Image MCC",
        lambda counts, _: localization.mcc(counts),
        low=-1.0,
        definition="MCC over pairs: one is called positive where either found mask has a pixel. "
        "Undefined without positive and negative pairs.",
    ),
    "image_f1": Metric(
        "Image F1",
        lambda counts, _: localization.f1(counts),
        definition="F1 over pairs: one is called positive where either found mask has a pixel.",
    ),
}


@dataclass(frozen=True)
class Rule:
    """How a pair gets its detection score.

    Attributes:
        threshold: Score above which a pair is called positive.
        ending: Ending of a method's name in tables and figures, as in the paper.
        definition: Sentence that says what a pair's detection score is computed from.
    """

    threshold: float
    ending: str
    definition: str = ""


#: The paper's score from both masks, DMVN-loc's share of pixels, the detector's own probability.
RULES: dict[str, Rule] = {
    "mask": Rule(
        0.5, "", "The paper's score: mean probability inside each found region, over both masks."
    ),
    "share": Rule(0.0, "-loc", "DMVN-loc's score: mean share of pixels found in the two masks."),
    "own": Rule(0.5, "-det", "The detector's own probability that the pair shares a region."),
}


def headline_metrics() -> list[str]:
    """Return the localization metrics that are shown where there is room for a few.

    >>> "f1" in headline_metrics()
    False
    """
    return [name for name, metric in LOCALIZATION.items() if metric.headline]


def find_metric(name: str) -> Metric | None:
    """Return the metric of a name; None where there is none.

    >>> find_metric("eer").higher_is_better
    False
    """
    return LOCALIZATION.get(name) or DETECTION.get(name) or POOLED.get(name)
