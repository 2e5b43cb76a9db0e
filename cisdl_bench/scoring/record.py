"""What ``result.json`` holds, and reading it without believing it."""

import math
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta

from cisdl_bench.errors import RunError
from cisdl_bench.metrics.pooled import summarise_pooled
from cisdl_bench.metrics.registry import DETECTION, LOCALIZATION, POOLED, RULES, Metric
from cisdl_bench.metrics.summary import detection_names, summarise
from cisdl_bench.scoring.perturb import STEPS, Perturbation
from cisdl_bench.scoring.rows import ROWS, read_verified_rows
from cisdl_bench.strict_json import conforming, decoded

RESULT = "result.json"
FORMAT = "cisdl-bench result"
_THEN = "Score it again with --overwrite"

Natural = Annotated[int, Meta(ge=0)]
Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^/\x00]+$")]
Share = Annotated[float, Meta(ge=0, le=1)]


class Request(TypedDict):
    """What decides the rows of a result."""

    detector: str
    identity: str
    set: Name
    fingerprint: str
    size: Annotated[int, Meta(ge=1, le=1 << 16)]
    perturbation: str
    perturb_donor: bool
    threshold: Share


class Begun(TypedDict):
    """A result that may not be finished."""

    complete: bool
    request: Request


class Source(TypedDict):
    """What the annotation file of the photographs says of itself."""

    description: NotRequired[str | float | None]
    version: NotRequired[str | float | None]
    licence: NotRequired[str | float | None]


class Data(TypedDict):
    """What a result says of its data."""

    notes: list[str]
    whole: NotRequired[Natural]
    format: NotRequired[str]
    spec_sha256: NotRequired[str]
    source: NotRequired[Source]


class Origin(TypedDict):
    """Where the pairs were, and how a list of them was opened."""

    path: str
    images: NotRequired[str | None]
    reference: NotRequired[str | None]
    size: NotRequired[Annotated[int, Meta(ge=1, le=1 << 16)]]
    skip_unusable: NotRequired[bool]
    pictures: NotRequired[bool]
    part: NotRequired[str]
    slice: NotRequired[Annotated[list[int], Meta(min_length=3, max_length=3)]]


#: A number as the paper prints it, such as ``1e-5``.
Printed = Annotated[str, Meta(pattern=r"^[0-9.e-]+$", max_length=20)]


#: A moment with its zone, such as ``2026-11-26T08:30:00+00:00``.
Moment = Annotated[datetime, Meta(tz=True)]


class Training(TypedDict):
    """What tables show of a network's training, as the paper prints it."""

    lambda_det: NotRequired[Printed | None]
    lambda_dis: NotRequired[Printed | None]
    learning_rate: NotRequired[Printed | None]


class About(TypedDict):
    """What a checkpoint says of itself."""

    training: NotRequired[Training]


class Finished(Begun):
    """A finished result."""

    rows_sha256: str
    summary: dict[str, float | None]
    about: About
    data: Data
    origin: Origin
    settings: dict[str, Any]
    device: str
    processes: Natural
    pairs_per_second: Annotated[float, Meta(ge=0)] | None
    versions: dict[str, str]
    finished: NotRequired[Moment]


_COUNTED = (
    "pairs",
    "positive_pairs",
    "negative_pairs",
    "unlabelled_pairs",
    "masks_unknown",
    "masks_empty",
)


def read_result(path: Path) -> dict[str, Any]:
    """Return what a ``result.json`` holds; numbers that are null there are NaN.

    Numbers of metrics that it lacks are computed from its rows.

    Raises:
        RunError: It cannot be read, or a value that is used is not of its type.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        then = "Run its `score` command"
        raise RunError.expected(path, "a result", "no such file", then) from error
    except OSError as error:
        then = "Make it readable"
        raise RunError.expected(path, "a result", f"'{error.strerror}'", then) from error
    record: dict[str, Any] = decoded(data, Begun, path, _THEN, RunError)
    if record["complete"]:
        conforming(record, Finished, path, _THEN, RunError)
        summary = record["summary"]
        record["summary"] = {k: float("nan") if v is None else v for k, v in summary.items()}
        if not set(_expected_values(summary)) <= set(summary):  # metrics were added since
            rows = read_verified_rows(path.parent / ROWS, record["rows_sha256"])
            pairs = rows.scored_pairs()
            pooled = summarise_pooled(pairs) if set(POOLED) & set(summary) else {}
            record["summary"] = {**summarise(pairs), **pooled, **record["summary"]}
        _check_summary(record["summary"], path)
    _check_perturbation(record["request"]["perturbation"], path)
    return record


def _check_summary(summary: dict[str, Any], path: Path) -> None:
    """Refuse a summary that lacks a number, or has one that is out of its range.

    Raises:
        RunError: It is so.
    """
    counts = [*_COUNTED, *(f"{name}_undefined" for name in LOCALIZATION)]
    values = _expected_values(summary)
    for name in (*counts, *values):
        if name not in summary:
            where = f"{path}: summary"
            raise RunError.expected(where, f"the number {name}", "none", _THEN)
    for name in counts:
        value = summary[name]
        if not (isinstance(value, int) and value >= 0):
            where = f"{path}: summary.{name}"
            raise RunError.expected(where, "a whole number, 0 or more", value, _THEN)
    for name, metric in values.items():
        value = summary[name]
        if not (math.isnan(value) or metric.low <= value <= metric.high):
            where, expected = (
                f"{path}: summary.{name}",
                f"a number from {metric.low:g} to {metric.high:g}",
            )
            raise RunError.expected(where, expected, value, _THEN)
    parts = sum(summary[f"{kind}_pairs"] for kind in ("positive", "negative", "unlabelled"))
    if parts != summary["pairs"]:
        raise RunError.expected(
            f"{path}: summary",
            f"{summary['pairs']} pairs, positive, negative and unlabelled",
            parts,
            _THEN,
        )


def _expected_values(summary: dict[str, Any]) -> dict[str, Metric]:
    """Return the names of a summary's numbers with their metrics.

    All numbers of a rule are expected, or none where nothing was scored by it.
    """
    values = {
        f"{name}{end}": metric
        for name, metric in LOCALIZATION.items()
        for end in ("", "_low", "_high")
    }
    for rule in RULES:
        numbers = dict(zip(detection_names(rule), DETECTION.values(), strict=True))
        for name, metric in DETECTION.items():
            if metric.interval:
                numbers |= {f"{rule}_{name}_{end}": metric for end in ("low", "high")}
        if any(name in summary for name in numbers):
            values |= numbers
    if set(POOLED) & set(summary):
        values |= POOLED
    return values


def _check_perturbation(name: str, path: Path) -> None:
    try:
        steps = Perturbation.named(name).steps
        known = all(step in STEPS and STEPS[step][1] <= s <= STEPS[step][2] for step, s in steps)
    except ValueError:
        known = False
    if not known:
        where = f"{path}: request.perturbation"
        raise RunError.expected(where, "a name such as jpeg-70", repr(name), _THEN)
