"""What ``result.json`` holds, and reading it without believing it."""

import math
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta

from cisdl_bench.errors import RunError
from cisdl_bench.scoring.perturb import STEPS, Perturbation
from cisdl_bench.scoring.summary import LOCALIZATION, RULES, detection_names
from cisdl_bench.strict_json import conforming, decoded

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


#: A number as the paper prints it, such as ``1e-5``.
Printed = Annotated[str, Meta(pattern=r"^[0-9.e-]+$", max_length=20)]


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
        _check_summary(record["summary"], path)
    _check_perturbation(record["request"]["perturbation"], path)
    return record


def _check_summary(summary: dict[str, Any], path: Path) -> None:
    """Refuse a summary that lacks a number, or has one that is out of its range.

    Raises:
        RunError: It is so.
    """
    counts = [*_COUNTED, *(f"{name}_undefined" for name in LOCALIZATION)]
    values = [f"{name}{end}" for name in LOCALIZATION for end in ("", "_low", "_high")]
    for rule in RULES:  # all of a rule's numbers, or none where nothing was scored by it
        names = [*detection_names(rule), f"{rule}_auc_low", f"{rule}_auc_high"]
        values += names if any(name in summary for name in names) else []
    for name in (*counts, *values):
        if name not in summary:
            where = f"{path}: summary"
            raise RunError.expected(where, f"the number {name}", "none", _THEN)
    for name in counts:
        value = summary[name]
        if not (isinstance(value, int) and value >= 0):
            where = f"{path}: summary.{name}"
            raise RunError.expected(where, "a whole number, 0 or more", value, _THEN)
    for name in values:
        low = -1 if name.startswith(("mcc", "nmm")) else 0
        if not (math.isnan(summary[name]) or low <= summary[name] <= 1):
            where = f"{path}: summary.{name}"
            raise RunError.expected(where, f"a number from {low} to 1", summary[name], _THEN)
    parts = sum(summary[f"{each}_pairs"] for each in ("positive", "negative", "unlabelled"))
    if parts != summary["pairs"]:
        raise RunError.expected(
            f"{path}: summary",
            f"{summary['pairs']} pairs, positive, negative and unlabelled",
            parts,
            _THEN,
        )


def _check_perturbation(name: str, path: Path) -> None:
    try:
        steps = Perturbation.named(name).steps
        known = all(step in STEPS and STEPS[step][1] <= s <= STEPS[step][2] for step, s in steps)
    except ValueError:
        known = False
    if not known:
        where = f"{path}: request.perturbation"
        raise RunError.expected(where, "a name such as jpeg-70", repr(name), _THEN)
