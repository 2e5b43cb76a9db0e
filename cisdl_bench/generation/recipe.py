"""Building a set again from the table of its composites' parameters."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, TypedDict

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from cisdl_bench.errors import SourceError, cause, next_step
from cisdl_bench.generation.plan import Candidate, Ints, Plan
from cisdl_bench.records import DIFFICULTIES
from cisdl_bench.specs import SetSpec, parse_spec
from cisdl_bench.store.summary import RECIPE_MARK
from cisdl_bench.strict_json import conforming

_IDS = ("index", "donor_id", "annotation_id", "background_id")


class _Head(TypedDict):
    spec: dict[str, Any]
    difficulty: str
    seed: Annotated[int, Meta(ge=0, lt=2**62)]
    fingerprint: str


@dataclass(frozen=True)
class Recipe:
    """A recipe file: one line of JSON behind ``RECIPE_MARK``, then CSV with at least ``columns``.

    Attributes:
        path: The file.
        sha256: SHA-256 of the file.
        head: First line: spec, difficulty, seed, source and fingerprint of the set.
        spec: Spec that the set was made by.
    """

    path: Path
    sha256: str
    head: dict[str, Any]
    spec: SetSpec

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the file must have."""
        return (*_IDS, "difficulty", *self.spec.parameters)

    @cached_property
    def rows(self) -> dict[str, npt.NDArray[Any]]:
        """The columns by name, each of shape (n,)."""
        return _read_rows(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker keeps one recipe for all its shards.
        return _reread, (self.path, self.sha256)


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
        head = json.loads(line.removeprefix(RECIPE_MARK)) if line.startswith(RECIPE_MARK) else None
    except (ValueError, RecursionError):
        head = None
    if head is not None:
        then = "Write the recipe by `cisdl-bench info DIR --parameters` and keep its first line"
        conforming(head, _Head, f"{path}: first line", then, SourceError)
    if head is None:
        raise SourceError.expected(
            path,
            f"a first line that begins with {RECIPE_MARK.strip()!r}",
            repr(line[:40]),
            "Write the recipe by `cisdl-bench info DIR --parameters` and keep its first line",
        )
    spec = parse_spec({k: v for k, v in head["spec"].items() if v is not None}, str(path))
    recipe = Recipe(path.absolute(), hashlib.sha256(data).hexdigest(), head, spec)
    lacking = [name for name in recipe.columns if name not in recipe.rows]
    if lacking:
        columns = ", ".join(recipe.columns)
        raise SourceError.expected(
            path, f"the columns {columns}", f"no {lacking[0]}", "Write the recipe again"
        )
    return recipe


@lru_cache(maxsize=2)
def _reread(path: Path, sha256: str) -> Recipe:
    recipe = read_recipe(path)
    if recipe.sha256 != sha256:
        raise SourceError(f"{path}: changed while its set was made. Run the same command again.")
    return recipe


def _read_rows(recipe: Recipe) -> dict[str, npt.NDArray[Any]]:
    import pandas as pd

    path, parameters = recipe.path, recipe.spec.parameters
    try:
        # As text, so that numpy reads every real number back to the last bit.
        table = pd.read_csv(path, skiprows=1, dtype=str, keep_default_na=False)
        columns = {name: table[name].to_numpy() for name in table.columns}
        whole = {name: columns[name].astype(np.int64) for name in _IDS if name in columns}
        real = {name: columns[name].astype(np.float64) for name in parameters if name in columns}
        for name, values in real.items():
            _check(name, values, parameters[name].low, parameters[name].high)
        words = columns.get("difficulty", np.array([])).astype(str)
        if not set(words.tolist()) <= set(DIFFICULTIES):
            raise ValueError(f"difficulty {sorted(set(words.tolist()) - set(DIFFICULTIES))[0]}")
    except (ValueError, TypeError, OverflowError) as error:
        raise SourceError.expected(
            path, "a table of whole ids and real parameters", cause(error), "Write the recipe again"
        ) from error
    return {**columns, **whole, **real}


def _check(name: str, values: npt.NDArray[np.float64], low: float, high: float) -> None:
    wrong = ~((values >= low) & (values <= high))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"{name} {values[at]:g} in row {at + 3}, not {low:g} to {high:g}")


@dataclass
class RecipePlan(Plan):
    """The candidates that a recipe names, in its order.

    Attributes:
        recipe: The recipe.
    """

    recipe: Recipe

    @property
    def total(self) -> int:
        """How many candidates there are."""
        return len(self.recipe.rows["index"])

    @cached_property
    def _positions(self) -> dict[str, Ints]:
        """Position of each row's donor, background and annotation, -1 where there is none."""
        index, rows = self.source.index, self.recipe.rows
        positions = {
            "donor": _find_positions(index.picture_id, rows["donor_id"]),
            "background": _find_positions(index.picture_id, rows["background_id"]),
            "annotation": _find_positions(index.annotation_id, rows["annotation_id"]),
        }
        for number in self._further:
            for name, ids in (("donor", index.picture_id), ("annotation", index.annotation_id)):
                wanted = rows[f"{name}_id_{number}"].astype(np.int64)
                positions[f"{name} {number}"] = _find_positions(ids, wanted)
        return positions

    @property
    def _further(self) -> range:
        """The numbers of the further regions."""
        return range(2, 2 + (self.spec.further.count if self.spec.further else 0))

    def pictures(self, start: int, stop: int) -> Ints:
        """Return the positions of the pictures that a range of rows needs, in order."""
        at = self._positions
        names = ["donor", "background", *(f"donor {number}" for number in self._further)]
        both = np.stack([at[name][start:stop] for name in names], axis=1).ravel()
        return both[both >= 0]

    def candidates(self, start: int, stop: int) -> list[Candidate | str]:
        """Return the candidates of a range of rows, or that the source lacks what a row names."""
        return [self._candidate(row) for row in range(start, stop)]

    def _candidate(self, row: int) -> Candidate | str:
        at = {name: int(positions[row]) for name, positions in self._positions.items()}
        for name, position in at.items():
            if position < 0:
                return f"recipe's {name} is not in {self.source.name}"
        further = tuple((at[f"donor {k}"], at[f"annotation {k}"]) for k in self._further)
        for donor, annotation in ((at["donor"], at["annotation"]), *further):
            if self.source.index.find_picture(annotation) != donor:
                return "recipe's annotation is not of its donor"
        rows = self.recipe.rows
        parameters = tuple(float(rows[name][row]) for name in self.spec.parameters)
        difficulty = str(rows["difficulty"][row])
        return Candidate(
            int(rows["index"][row]),
            at["donor"],
            at["background"],
            at["annotation"],
            difficulty,
            parameters,
            further,
        )


def _find_positions(ids: Ints, wanted: Ints) -> Ints:
    order = np.argsort(ids, kind="stable")
    at = order[np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)]
    return np.where(ids[at] == wanted, at, -1)
