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
    """

    title: str
    compute: Callable[..., Any]
    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool = True
    headline: bool = False
    form: str = ".4f"
    interval: Callable[..., Interval] | None = None

    def show(self, value: float) -> str:
        """Return a value as the command line prints it."""
        return f"{value:{self.form}}"


#: Of a mask, by its counts.
LOCALIZATION: dict[str, Metric] = {
    "iou": Metric("IoU", lambda counts, _: localization.iou(counts), headline=True),
    "mcc": Metric("MCC", localization.mcc, low=-1.0, headline=True),
    "nmm": Metric("NMM", localization.nmm, low=-1.0, headline=True),
    "f1": Metric("F1", lambda counts, _: localization.f1(counts)),
}
#: Of a set, by the labels and scores of its pairs.
DETECTION: dict[str, Metric] = {
    "precision": Metric("Precision", lambda *given: detection.at_threshold(*given).precision),
    "recall": Metric("Recall", lambda *given: detection.at_threshold(*given).recall),
    "f1": Metric("F1", lambda *given: detection.at_threshold(*given).f1),
    "auc": Metric(
        "AUC",
        lambda labels, scores, _: detection.auc(labels, scores),
        headline=True,
        interval=bootstrap_auc,
    ),
    "eer": Metric(
        "EER",
        lambda labels, scores, _: detection.eer(labels, scores),
        higher_is_better=False,
        headline=True,
    ),
    "ap": Metric("AP", lambda labels, scores, _: detection.average_precision(labels, scores)),
}


@dataclass(frozen=True)
class Rule:
    """How a pair gets its detection score.

    Attributes:
        threshold: Score above which a pair is called positive.
        ending: Ending of a method's name in tables and figures, as in the paper.
    """

    threshold: float
    ending: str


#: The paper's score from both masks, DMVN-loc's share of pixels, the detector's own probability.
RULES: dict[str, Rule] = {
    "mask": Rule(0.5, ""),
    "share": Rule(0.0, "-loc"),
    "own": Rule(0.5, "-det"),
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
    return LOCALIZATION.get(name) or DETECTION.get(name)
