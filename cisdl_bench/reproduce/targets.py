"""Targets: TOML in ``data_specs/reproduce`` or a user's own; what a published table takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from msgspec import Meta

from cisdl_bench.errors import SpecError
from cisdl_bench.packaged import packaged_names, packaged_text, packaged_toml
from cisdl_bench.report import published
from cisdl_bench.validation import as_record, decode_toml, read_text, refuse_unknown, require

Name = Annotated[str, Meta(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Names = Annotated[tuple[str, ...], Meta(description="a list of names")]


@dataclass(frozen=True)
class Row:
    """One row of a table: a published method, and what it is measured on here.

    Attributes:
        method: Name of the method as the table prints it.
        experiment: Experiment whose checkpoint is scored; empty: none.
        detector: Method without training that is scored; empty: none.
        model: Name by which a user gives the file that is scored; empty: none.
        rule: Detection score of a pair, of ``metrics.registry.RULES``.
    """

    method: str
    experiment: str = ""
    detector: str = ""
    model: str = ""
    rule: Literal["mask", "share", "own"] = "mask"


@dataclass(frozen=True)
class EvaluationSpec:
    """How a network is evaluated while it learns.

    Attributes:
        sets: Sets that it is scored on.
        pairs: Number of pairs of each set, the first ones.
        times: Number of evaluations of a run; more where they would be over 1,000 steps apart.
    """

    sets: Names
    pairs: Annotated[int, Meta(ge=1, le=10**6)]
    times: Annotated[int, Meta(ge=1, le=1000)]


@dataclass(frozen=True)
class GrowthSpec:
    """A figure of the scores during training.

    Attributes:
        published: Methods of Table I whose published scores are drawn as level lines.
    """

    published: Names = ()


@dataclass(frozen=True)
class Target:
    """A published table or figure as its TOML file says it; the files' comments explain each key.

    Attributes:
        layout: Published table that it is compared with, of ``data_specs/published``.
        training: Set that networks learn from.
        sets: Generated sets that are scored, in all their difficulties.
        list_format: Format of the list of pairs that is scored instead; empty: none.
        rows: Rows by the name that a user types.
        photographs: Number of photographs of each split in the paper, for captions.
        evaluation: Evaluation of networks while they learn; None: there is none.
        growth: Figure of the scores during training; None: there is none.
        place: Position in lists of targets.
    """

    name: Name
    version: Annotated[int, Meta(ge=1, le=10**6)]
    title: str
    source: str
    layout: str
    rows: dict[str, Any]
    training: str = "training"
    sets: Names = ()
    list_format: str = ""
    photographs: dict[str, int] = field(default_factory=dict)
    evaluation: EvaluationSpec | None = None
    growth: GrowthSpec | None = None
    place: int = field(default=1000)

    @property
    def table(self) -> Mapping[str, Any]:
        """The description of the published table: ``kind``, ``metrics`` and so on."""
        description: Mapping[str, Any] = published.tables()[self.layout]
        return description


def describe_targets() -> dict[str, str]:
    """Return the titles of the targets that come with the package by name, in order.

    >>> list(describe_targets())[:2]
    ['table-1', 'table-2']
    """
    files = {name: packaged_toml(f"reproduce/{name}.toml") for name in packaged_names("reproduce")}
    in_order = sorted(files, key=lambda name: (files[name].get("place", 1000), name))
    return {name: str(files[name].get("title", "")) for name in in_order}


def load_target(name: str) -> Target:
    """Return the target of a name, or of a TOML file.

    Raises:
        SpecError: Unknown name, broken TOML, an unknown or missing key, or a wrong value.

    >>> load_target("table-3").rows["dmac-adv-det"].rule
    'own'
    """
    known = list(describe_targets())
    if name in known:
        return parse_target(packaged_text(f"reproduce/{name}.toml"), name)
    if name.endswith(".toml"):
        return parse_target(read_text(name, "target"), name)
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}" if near else "Choose one of those"
    raise SpecError.expected(name, f"one of {', '.join(known)}, or a .toml file", "neither", hint)


def parse_target(text: str, where: str) -> Target:
    """Return the target that a TOML text says, checked key by key.

    Raises:
        SpecError: As ``load_target``.
    """
    target = as_record(decode_toml(text, where), Target, where)
    layouts = [name for name in published.tables() if name.startswith("paper-")]
    named = f"{where}: layout"
    require(target.layout in layouts, named, f"one of {', '.join(layouts)}", repr(target.layout))
    if bool(target.sets) == bool(target.list_format):
        raise SpecError(f"{where}: a target needs `sets` or `list_format`, not both. Correct it.")
    require(bool(target.rows), f"{where}: rows", "at least one row", "none")
    methods = {row["method"]: None for row in published.rows(target.layout)}
    rows = {}
    for name, table in target.rows.items():
        row = as_record(table, Row, f"{where}: rows.{name}")
        refuse_unknown({row.method: None}, methods, f"{where}: rows.{name}: method")
        subjects = [text for text in (row.experiment, row.detector, row.model) if text]
        if len(subjects) != 1:
            raise SpecError(
                f"{where}: rows.{name}: a row needs one of `experiment`, `detector` and `model`. "
                "Correct the spec."
            )
        rows[name] = row
    return replace(target, rows=rows)


def choose_rows(target: Target, words: tuple[str, ...], also: Mapping[str, str]) -> dict[str, Row]:
    """Return the rows that a user's words name; all where there are none.

    Args:
        target: Target whose rows are meant.
        words: Names of rows, or of their experiments.
        also: Experiment by another name of it, such as ``dmac-adv``.

    Raises:
        SpecError: A word names no row.

    >>> table = load_target("table-1")
    >>> list(choose_rows(table, ("dmac-adv",), {"dmac-adv": "adv-bce-0.01-0.01-1e-5"}))
    ['adv-bce-0.01-0.01-1e-5']
    """
    if not words:
        return dict(target.rows)
    chosen = set()
    for word in words:
        wanted = also.get(word, word)
        named = [word] if word in target.rows else []
        rows = target.rows.items()
        subjects = [name for name, row in rows if wanted in (name, *_subjects(row, also))]
        if not (named or subjects):
            refuse_unknown({word: None}, target.rows, "--rows")
        chosen |= set(named or subjects)
    return {name: row for name, row in target.rows.items() if name in chosen}


def _subjects(row: Row, also: Mapping[str, str]) -> tuple[str, str, str]:
    return also.get(row.experiment, row.experiment), row.detector, row.model
