"""Verdicts: both edges of an interval, what is undefined, and results made by hand."""

import math
from typing import Any

import numpy as np
import pytest

from cisdl_bench.metrics import detection
from cisdl_bench.metrics.intervals import Interval, bootstrap_statistic
from cisdl_bench.reproduce import verdicts
from cisdl_bench.reproduce.targets import load_target
from cisdl_bench.reproduce.verdicts import compare_row, judge

NAN = float("nan")


@pytest.mark.parametrize(
    ("interval", "reference", "verdict"),
    [
        ((0.4, 0.6), 0.5, "within"),
        ((0.4, 0.6), 0.4, "within"),
        ((0.4, 0.6), 0.6, "within"),
        ((0.4, 0.6), np.nextafter(0.4, 0), "above"),
        ((0.4, 0.6), np.nextafter(0.6, 1), "below"),
        ((-0.2, -0.1), -0.3, "above"),
        ((-0.2, -0.1), 0.0, "below"),
        ((0.5, 0.5), 0.5, "within"),
        ((NAN, 0.6), 0.5, "undefined"),
        ((NAN, NAN), 0.5, "undefined"),
    ],
)
def test_the_verdict_at_both_edges(interval: Any, reference: float, verdict: str) -> None:
    assert judge(0.5, Interval(*interval), reference) == verdict


def test_a_number_that_is_nan_is_undefined() -> None:
    assert judge(NAN, Interval(0.1, 0.2), 0.15) == "undefined"


class Made:
    """A result made by hand: the parts that are read of one."""

    perturbation = ""

    def __init__(self, name: str, summary: dict[str, float]) -> None:
        self.set, self.record = name, {"summary": summary}

    def rows(self) -> None: ...


def summary(iou: float, low: float, high: float, undefined: int = 0) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name in ("iou", "mcc", "nmm"):
        numbers |= {name: iou, f"{name}_low": low, f"{name}_high": high}
        numbers[f"{name}_undefined"] = undefined
    return numbers


def test_each_published_number_gets_a_line_and_what_is_missing_is_said() -> None:
    """Table I prints for DMAC: .5114 .6308 .0335 on difficult, .8279 .8815 .6840 on normal."""
    made: Any = [
        Made("combination-difficult", summary(0.5, 0.4, 0.6)),
        Made("combination-normal", summary(NAN, NAN, NAN, 7)),
    ]
    sets = [f"combination-{word}" for word in ("difficult", "normal", "easy")]
    lines = compare_row(load_target("table-1"), "dmac", {}, sets, made)
    assert [line.published for line in lines[:3]] == ["0.5114", "0.6308", "0.0335"]
    assert [line.verdict for line in lines] == [
        *("within", "below", "above"),
        *["undefined"] * 3,
        *["not reproduced"] * 3,
    ]
    assert lines[0].difference == pytest.approx(0.5 - 0.5114)
    assert math.isnan(lines[3].difference)
    assert [line.undefined for line in lines[2:4]] == [0, 7]


def test_rows_of_one_method_are_told_apart_by_their_parameters() -> None:
    parameters = {"lambda_det": "0.01", "lambda_dis": "0.01", "learning_rate": "1e-6"}
    target = load_target("table-1")
    lines = compare_row(target, "adv-hin-0.01-0.01-1e-6", parameters, ["combination-difficult"], [])
    assert [line.published for line in lines] == ["0.5181", "0.6338", "0.0505"]
    assert lines[0].method == "DMAC+adv-hin (0.01, 0.01, 1e-6)"


def test_every_row_of_every_target_has_published_numbers() -> None:
    from cisdl_bench.reproduce.targets import describe_targets
    from cisdl_bench.training.experiments import load_experiment

    for name in describe_targets():
        target = load_target(name)
        sets = [f"{stem}-easy" for stem in target.sets] or [target.list_format]
        seen = []
        for row, spec in target.rows.items():
            parameters = (
                load_experiment(spec.experiment).table_parameters if spec.experiment else {}
            )
            lines = compare_row(target, row, parameters, sets, [])
            assert len(lines) == len(sets) * len(target.table["metrics"]), (name, row)
            seen.append(tuple(line.published for line in lines))
        assert len(set(seen)) == len(seen), name


def test_detection_has_an_interval_for_every_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recall of 3 of 4: an independent bootstrap gives the same quantiles within noise."""
    labels = np.array([1] * 40 + [0] * 40)
    scores = np.array([0.9] * 30 + [0.1] * 10 + [0.2] * 40)

    def recall(labels: Any, scores: Any) -> float:
        return float(detection.at_threshold(labels, scores, 0.5).recall)

    interval = bootstrap_statistic(recall, labels, scores, resamples=2000)
    rng = np.random.default_rng(5)
    draws = rng.integers(0, 80, (4000, 80))
    found = (draws < 30).sum(axis=1) / (draws < 40).sum(axis=1)
    assert interval == pytest.approx(np.quantile(found, [0.025, 0.975]), abs=0.02)
    assert interval == bootstrap_statistic(recall, labels, scores, resamples=2000)

    class Detected(Made):
        def rows(self) -> Any:
            from cisdl_bench.scoring.rows import Rows

            rows = Rows({"label": labels})
            monkeypatch.setattr(type(rows), "pair_scores", lambda *_: scores)
            return rows

    numbers = {f"mask_{name}": 0.75 for name in ("precision", "recall", "f1", "auc")}
    made: Any = [Detected("casia", numbers | {"mask_auc_low": 0.9, "mask_auc_high": 0.94})]
    lines = compare_row(load_target("table-3"), "dmac", {}, ["casia"], made)
    by_metric = {line.metric: line for line in lines}
    assert by_metric["recall"].interval == pytest.approx(interval, abs=1e-12)
    assert by_metric["recall"].verdict == "within"  # .8668 is printed
    assert by_metric["precision"].interval == (1.0, 1.0)
    assert by_metric["precision"].verdict == "above"
    assert by_metric["auc"].verdict == "below"  # .9468 is printed
    own = compare_row(load_target("table-3"), "dmac-adv-det", {}, ["casia"], made)
    assert {line.verdict for line in own} == {verdicts.UNDEFINED}
