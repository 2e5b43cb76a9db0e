"""Metrics of the tables, called: what their functions return is checked before it is used."""

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import MetricError, cause
from cisdl_bench.metrics.counts import Counts
from cisdl_bench.metrics.intervals import Interval
from cisdl_bench.metrics.localization import Convention
from cisdl_bench.metrics.registry import DETECTION, LOCALIZATION, POOLED, Metric

Floats = npt.NDArray[np.float64]
_ROUNDING = 1e-9  # beyond a metric's range; brought back into it


def localize(name: str, counts: Counts, convention: Convention) -> Floats:
    """Return a metric of ``LOCALIZATION``, float64 of the counts' shape; NaN where undefined.

    Raises:
        MetricError: Its function fails, or returns another shape or values out of its range.
    """
    metric = LOCALIZATION[name]
    values = _call(name, metric, metric.compute, counts, convention)
    return _checked(name, metric, values, counts.tp.shape)


def pool(name: str, counts: Counts) -> Floats:
    """Return a metric of ``POOLED``, float64 of the counts' shape; NaN where undefined.

    Raises:
        MetricError: Its function fails, or returns another shape or values out of its range.
    """
    metric = POOLED[name]
    values = _call(name, metric, metric.compute, counts, "nist")
    return _checked(name, metric, values, counts.tp.shape)


def detect(name: str, labels: npt.NDArray[np.int64], scores: Floats, threshold: float) -> float:
    """Return a metric of ``DETECTION``; NaN where undefined.

    Args:
        name: Name of the metric.
        labels: Labels of the pairs, 1 is positive, (n,).
        scores: Scores of the pairs, higher is more positive, (n,).
        threshold: Score above which a pair is called positive.

    Raises:
        MetricError: Its function fails, or returns what is no number in its range.
    """
    metric = DETECTION[name]
    value = _call(name, metric, metric.compute, labels, scores, threshold)
    return _number(name, metric, value)


def detect_interval(
    name: str, labels: npt.NDArray[np.int64], scores: Floats, **options: Any
) -> Interval | None:
    """Return the bootstrap interval of a metric of ``DETECTION``; None where it has none.

    Args:
        name: Name of the metric.
        labels: Labels of the pairs, 1 is positive, (n,).
        scores: Scores of the pairs, higher is more positive, (n,).
        options: Number of ``resamples``, and ``level``.

    Raises:
        MetricError: Its function fails, or returns what are no two numbers in its range.
    """
    metric = DETECTION[name]
    if metric.interval is None:
        return None
    ends = _call(name, metric, metric.interval, labels, scores, **options)
    if not isinstance(ends, tuple) or len(ends) != 2:
        raise _wrong(name, metric, f"{type(ends).__name__} as its interval")
    return Interval(*(_number(name, metric, end) for end in ends))


def _call(
    name: str, metric: Metric, function: Callable[..., Any], *given: Any, **options: Any
) -> Any:
    try:
        return function(*given, **options)
    except Exception as error:
        raise _wrong(name, metric, f"{type(error).__name__}: {cause(error)}") from error


def _number(name: str, metric: Metric, value: Any) -> float:
    return float(_checked(name, metric, value, ()))


def _checked(name: str, metric: Metric, given: Any, shape: tuple[int, ...]) -> Floats:
    if not isinstance(given, np.ndarray | Real):
        raise _wrong(name, metric, type(given).__name__)
    values = np.asarray(given)
    if values.dtype.kind not in "fiu":
        raise _wrong(name, metric, str(values.dtype))
    if values.shape != shape:
        raise _wrong(name, metric, f"an array {values.shape} for one {shape}")
    values = values.astype(np.float64, copy=False)
    outside = (values < metric.low - _ROUNDING) | (values > metric.high + _ROUNDING)
    if outside.any():
        raise _wrong(name, metric, f"{values[outside][0]:g}")
    within: Floats = np.clip(values, metric.low, metric.high)
    return within


def _wrong(name: str, metric: Metric, got: str) -> MetricError:
    return MetricError.expected(
        f"metric {name}",
        f"values from {metric.low:g} to {metric.high:g} or NaN",
        got,
        "Correct its entry in cisdl_bench/metrics/registry.py, or its range",
    )
