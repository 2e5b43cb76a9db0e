"""A metric that returns what its entry excludes is named, where it is called."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cisdl_bench.errors import CisdlError
from cisdl_bench.metrics.counts import Counts
from cisdl_bench.metrics.intervals import Interval
from cisdl_bench.metrics.registry import DETECTION, LOCALIZATION, Metric
from cisdl_bench.metrics.summary import ScoredPairs, mask_values, summarise

COUNTS = Counts(*np.array([[[2, 4], [0, 0]], [[1, 0], [0, 0]], [[2, 0], [4, 5]], [[5, 6], [6, 5]]]))
PAIRS = ScoredPairs(
    np.array([1, 0]),
    COUNTS,
    np.ones((2, 2), dtype=bool),
    np.full((2, 2), 0.7),
    np.array([0.9, 0.1]),
)
THEN = r"\. Correct its entry in cisdl_bench/metrics/registry\.py, or its range\.$"


@pytest.mark.parametrize(
    ("compute", "got"),
    [
        (lambda counts, _: 0.0 + counts.fn, "2"),
        (lambda counts, _: 0.0 - counts.fn, "-2"),
        (lambda counts, _: np.where(counts.fp, np.inf, np.nan), "inf"),
        (lambda counts, _: counts.tp.mean() / 9, r"an array \(\) for one \(2, 2\)"),
        (lambda counts, _: (counts.tp / 9)[:1], r"an array \(1, 2\) for one \(2, 2\)"),
        (lambda counts, _: None, "NoneType"),
        (lambda counts, _: [[0.5], []], "list"),
        (lambda counts, _: counts.tp > 1, "bool"),
        (lambda counts, _: counts.fpp, "AttributeError: 'Counts' object has no attribute 'fpp'"),
        (lambda counts: counts.tp, r"TypeError: .* takes 1 positional argument but 2 were given"),
    ],
)
def test_a_metric_of_masks(
    monkeypatch: pytest.MonkeyPatch, compute: Callable[..., Any], got: str
) -> None:
    monkeypatch.setitem(LOCALIZATION, "zz", Metric("ZZ", compute))
    message = f"^metric zz: expected values from 0 to 1 or NaN, got {got}{THEN}"
    with pytest.raises(CisdlError, match=message):
        mask_values(PAIRS, "zz")


@pytest.mark.parametrize(
    ("compute", "interval", "got"),
    [
        (lambda *_: 1.5, None, "1.5"),
        (lambda *_: None, None, "NoneType"),
        (lambda *_: np.array([0.5]), None, r"an array \(1,\) for one \(\)"),
        (lambda *_: 1 / 0, None, "ZeroDivisionError: division by zero"),
        (lambda *_: 0.5, lambda *_, **__: Interval(0.0, 2.0), "2"),
        (lambda *_: 0.5, lambda *_, **__: 0.5, "float as its interval"),
        (lambda *_: 0.5, lambda labels: 0.5, "TypeError: .*"),
    ],
)
def test_a_metric_of_sets(
    monkeypatch: pytest.MonkeyPatch,
    compute: Callable[..., Any],
    interval: Callable[..., Any] | None,
    got: str,
) -> None:
    monkeypatch.setitem(DETECTION, "zz", Metric("ZZ", compute, interval=interval))
    message = f"^metric zz: expected values from 0 to 1 or NaN, got {got}{THEN}"
    with pytest.raises(CisdlError, match=message):
        summarise(PAIRS, resamples=2)


def test_what_a_range_allows_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, kept in ((1 + 1e-15, 1.0), (-1e-15, 0.0), (0.3, 0.3), (np.nan, np.nan), (1, 1.0)):
        of_masks = Metric("ZZ", lambda counts, _, value=value: np.full(counts.tp.shape, value))
        monkeypatch.setitem(LOCALIZATION, "zz", of_masks)
        monkeypatch.setitem(DETECTION, "zz", Metric("ZZ", lambda *_, value=value: value))
        found = summarise(PAIRS, resamples=0)
        for key in ("zz", "own_zz"):
            assert isinstance(found[key], float)
            assert found[key] == pytest.approx(kept, abs=0, nan_ok=True)
