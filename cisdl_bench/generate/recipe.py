"""Building a set again from the table of its composites' parameters."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, TypedDict

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from cisdl_bench.errors import SourceError, cause, next_step
from cisdl_bench.generate.outline import Outline, Placement, placed
from cisdl_bench.generate.plan import Candidate, Ints, Wanted
from cisdl_bench.records import DIFFICULTIES, Parameters
from cisdl_bench.sources.coco import CocoSource
from cisdl_bench.specs import LIMITS, SetSpec, parse_spec
from cisdl_bench.strict_json import conforming

MARK = "# cisdl-bench recipe "
_IDS = ("index", "donor_id", "annotation_id", "background_id")
COLUMNS = (*_IDS, "difficulty", *Parameters._fields)


class _Head(TypedDict):
    spec: dict[str, Any]
    difficulty: str
    seed: Annotated[int, Meta(ge=0, lt=2**62)]
    fingerprint: str


@dataclass(frozen=True)
class Recipe:
    """A recipe file: one line of JSON behind ``MARK``, then CSV with at least ``COLUMNS``.

    Attributes:
        path: The file.
        sha256: Its hash.
        head: Its first line: spec, difficulty, seed, source and fingerprint of the set.
    """

    path: Path
    sha256: str
    head: dict[str, Any]

    @property
    def spec(self) -> SetSpec:
        """The spec that the set was made by."""
        table = {k: v for k, v in self.head["spec"].items() if v is not None}
        return parse_spec(table, str(self.path))

    @property
    def rows(self) -> dict[str, npt.NDArray[Any]]:
        """The columns by name, each of shape (n,)."""
        return _rows(self.path, self.sha256)


def read_recipe(path: Path) -> Recipe:
    """Return a recipe written by ``cisdl-bench info --parameters``.

    Raises:
        SourceError: The file cannot be read or lacks its first line or a column.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError.expected(
            path,
            "a recipe",
            cause(error),
            next_step(error, "Write one by `cisdl-bench info DIR --parameters`"),
        ) from error
    line = data.split(b"\n", 1)[0].decode("utf-8-sig", "replace").strip().strip('"')
    try:
        head = json.loads(line.removeprefix(MARK)) if line.startswith(MARK) else None
    except (ValueError, RecursionError):
        head = None
    if head is not None:
        then = "Write the recipe by `cisdl-bench info DIR --parameters` and keep its first line"
        conforming(head, _Head, f"{path}: first line", then, SourceError)
    if head is None:
        raise SourceError.expected(
            path,
            f"a first line that begins with {MARK.strip()!r}",
            repr(line[:40]),
            "Write the recipe by `cisdl-bench info DIR --parameters` and keep its first line",
        )
    recipe = Recipe(path.absolute(), hashlib.sha256(data).hexdigest(), head)
    lacking = [name for name in COLUMNS if name not in recipe.rows]
    if lacking:
        raise SourceError.expected(
            path, f"the columns {', '.join(COLUMNS)}", f"no {lacking[0]}", "Write the recipe again"
        )
    return recipe


@lru_cache(maxsize=2)
def _rows(path: Path, sha256: str) -> dict[str, npt.NDArray[Any]]:
    import pandas as pd

    try:
        # As text, so that numpy reads every real number back to the last bit.
        table = pd.read_csv(path, skiprows=1, dtype=str, keep_default_na=False)
        columns = {name: table[name].to_numpy() for name in table.columns}
        whole = {name: columns[name].astype(np.int64) for name in _IDS if name in columns}
        parts = Parameters._fields
        real = {name: columns[name].astype(np.float64) for name in parts if name in columns}
        for name, values in real.items():
            _check(name, values)
        words = columns.get("difficulty", np.array([])).astype(str)
        if not set(words.tolist()) <= set(DIFFICULTIES):
            raise ValueError(f"difficulty {sorted(set(words.tolist()) - set(DIFFICULTIES))[0]}")
    except (ValueError, TypeError, OverflowError) as error:
        raise SourceError.expected(
            path, "a table of whole ids and real parameters", cause(error), "Write the recipe again"
        ) from error
    return {**columns, **whole, **real}


#: Which transformation's limits hold for each parameter.
_LIMITED = dict(
    zip(
        Parameters._fields,
        ("shift", "shift", "rotation", "scale", "luminance", "deformation", "deformation"),
        strict=True,
    )
)


def _check(name: str, values: npt.NDArray[np.float64]) -> None:
    limits = {**LIMITS, "shift": (-4096.0, 4096.0)}  # px of the recipe's own canvas
    low, high = limits[_LIMITED[name]]
    wrong = ~((values >= low) & (values <= high))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"{name} {values[at]:g} in row {at + 3}, not {low:g} to {high:g}")


@dataclass(frozen=True)
class RecipePlan:
    """The candidates that a recipe names, in its order."""

    spec: SetSpec
    recipe: Recipe
    source: CocoSource

    @property
    def total(self) -> int:
        """How many candidates there are."""
        return len(self.recipe.rows["index"])

    @cached_property
    def _positions(self) -> dict[str, Ints]:
        """Position of each row's donor, background and annotation, -1 where there is none."""
        index, rows = self.source.index, self.recipe.rows
        return {
            "donor": _found(index.picture_id, rows["donor_id"]),
            "background": _found(index.picture_id, rows["background_id"]),
            "annotation": _found(index.annotation_id, rows["annotation_id"]),
        }

    def pictures(self, start: int, stop: int) -> Ints:
        """Return the positions of the pictures that a range of rows needs, in order."""
        at = self._positions
        both = np.stack([at["donor"][start:stop], at["background"][start:stop]], axis=1).ravel()
        return both[both >= 0]

    def candidate(self, number: int) -> Candidate | str:
        """Return a row's candidate, or that the source lacks what it names."""
        at = {name: int(found[number]) for name, found in self._positions.items()}
        for name, position in at.items():
            if position < 0:
                return f"recipe's {name} is not in {self.source.name}"
        if self.source.index.picture_of(at["annotation"]) != at["donor"]:
            return "recipe's annotation is not of its donor"
        rows = self.recipe.rows
        index, difficulty = int(rows["index"][number]), str(rows["difficulty"][number])
        return Candidate(
            index, at["donor"], at["background"], at["annotation"], difficulty, row=number
        )

    def placements(self, wanted: Sequence[Wanted]) -> list[Iterator[Placement]]:
        """Return the placement by each row's own parameters; none where it leaves the canvas."""
        found = [self._placement(candidate.row, outline) for candidate, outline, _ in wanted]
        size = self.spec.size
        return [iter([p] if min(p.low) >= 0 and max(p.high) <= size else []) for p in found]

    def _placement(self, row: int, outline: Outline) -> Placement:
        values = (float(self.recipe.rows[name][row]) for name in Parameters._fields)
        return placed(Parameters(*values), outline, self.spec.size)


def _found(ids: Ints, wanted: Ints) -> Ints:
    order = np.argsort(ids, kind="stable")
    at = order[np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)]
    return np.where(ids[at] == wanted, at, -1)
