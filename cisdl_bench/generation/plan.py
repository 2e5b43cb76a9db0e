"""Which picture, background and instance each candidate of a set gets."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import SourceError
from cisdl_bench.seeding import permutation, stream, uniform_block
from cisdl_bench.sources.coco import CocoSource
from cisdl_bench.specs import SetSpec

Ints = npt.NDArray[np.int64]

# The outline's area and that of its mask on the canvas differ a little.
_AREA_SLACK = 0.1


class Candidate(NamedTuple):
    """What is asked: a composite that may come about.

    Attributes:
        number: Key of its random numbers, kept with the composite as its index.
        donor: Position of the donor picture in the source's index.
        background: Position of the background picture in the source's index.
        annotation: Position of the pasted instance in the source's index.
        difficulty: Class it must fall into, or ``all``.
        parameters: Values of the set's parameters where they are given; None: drawn.
    """

    number: int
    donor: int
    background: int
    annotation: int
    difficulty: str
    parameters: tuple[float, ...] | None = None


@dataclass
class Plan(ABC):
    """The candidates of one set, in order.

    Attributes:
        spec: The set's spec.
        seed: Seed of all random numbers.
        source: Split that pictures and instances come from.
    """

    spec: SetSpec
    seed: int
    source: CocoSource

    @property
    @abstractmethod
    def total(self) -> int:
        """How many candidates there are at most."""

    @abstractmethod
    def pictures(self, start: int, stop: int) -> Ints:
        """Return the positions of the pictures that a range of candidates needs, in order."""

    @abstractmethod
    def candidates(self, start: int, stop: int) -> list[Candidate | str]:
        """Return a range of candidates, or the reasons why there are none."""


class _Pass(NamedTuple):
    donors: Ints  # a position for each rank
    backgrounds: Ints  # a position for each rank and visit


@dataclass
class DrawnPlan(Plan):
    """Candidates drawn at random from a source.

    Pass by pass over the donors in a random order; each donor is visited ``spec.visits`` times
    in a row, each time with another instance, background and parameters.

    Attributes:
        difficulty: Class of the set, or ``all``.
        unbounded: Whether passes go on past ``spec.traversals``, as long as it takes.
    """

    difficulty: str = "all"
    unbounded: bool = False

    def __post_init__(self) -> None:
        self._passes: dict[int, _Pass] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker keeps one plan for all its shards, with the orders that it has drawn.
        return _interned, (self.spec, self.seed, self.source, self.difficulty, self.unbounded)

    @property
    def _key(self) -> tuple[str, str]:
        return self.spec.full_name, self.difficulty

    @cached_property
    def _eligible(self) -> tuple[Ints, Ints]:
        """Annotations whose area may fall into a class, and each picture's first among them."""
        index = self.source.index
        classes = self.spec.classes(self.difficulty).values()
        low = min(above for above, _ in classes) * (1 - _AREA_SLACK)
        high = max(at_most for _, at_most in classes) * (1 + _AREA_SLACK)
        share = index.area_frac()
        chosen = (share > low) & (share <= high)
        before = np.concatenate([[0], np.cumsum(chosen)])
        return np.flatnonzero(chosen), before[index.first_annotation]

    @cached_property
    def donors(self) -> Ints:
        """Positions of the pictures with an eligible instance."""
        return np.flatnonzero(np.diff(self._eligible[1]))

    @property
    def total(self) -> int:
        """How many candidates there are at most."""
        passes = 1_000_000 if self.unbounded else -(-self.spec.traversals // self.spec.visits)
        return self.per_pass() * passes

    def per_pass(self) -> int:
        """Return the number of candidates in one pass over the donors."""
        return len(self.donors) * self.spec.visits

    def _pass(self, number: int) -> _Pass:
        if number not in self._passes:
            order = stream(self.seed, *self._key, "donors", index=number)
            donors = self.donors[permutation(order, len(self.donors))]
            draws = stream(self.seed, *self._key, "backgrounds", index=number)
            visited = np.repeat(donors, self.spec.visits)
            self._passes = {
                number: _Pass(donors, self._backgrounds(visited, draws.random(len(visited))))
            }
        return self._passes[number]

    def _backgrounds(self, donors: Ints, u: npt.NDArray[np.float64]) -> Ints:
        """Choose evenly among the pictures of other groups than the donor's."""
        group = np.asarray(self.source.index.picture_group)
        by_group = np.argsort(group, kind="stable")
        in_order = group[by_group]
        first = np.searchsorted(in_order, group[donors], side="left")
        last = np.searchsorted(in_order, group[donors], side="right")
        others = len(group) - (last - first)
        if not np.all(others):
            raise SourceError.expected(
                self.source.name,
                "pictures of at least two scenes, a donor and a background",
                f"{len(group)} of one",
                "Add pictures",
            )
        chosen = (u * others).astype(np.int64)
        return np.asarray(by_group[chosen + np.where(chosen >= first, last - first, 0)])

    def pictures(self, start: int, stop: int) -> Ints:
        """Return the positions of the pictures that a range of candidates needs, in order."""
        needed = []
        per_pass, visits = self.per_pass(), self.spec.visits
        for number in range(start // per_pass, -(-stop // per_pass)):
            low = max(start - number * per_pass, 0)
            high = min(stop - number * per_pass, per_pass)
            one_pass = self._pass(number)
            needed.append(one_pass.donors[low // visits : -(-high // visits)])
            needed.append(one_pass.backgrounds[low:high])
        return np.concatenate(needed)

    def candidates(self, start: int, stop: int) -> list[Candidate | str]:
        """Return a range of candidates: donor, background and one of the donor's instances."""
        annotations, first = self._eligible
        u = uniform_block(self.seed, *self._key, "instance", first=start, shape=(stop - start,))
        candidates: list[Candidate | str] = []
        for number, chance in zip(range(start, stop), u.tolist(), strict=True):
            turn, at = divmod(number, self.per_pass())
            one_pass = self._pass(turn)
            donor = int(one_pass.donors[at // self.spec.visits])
            low, high = int(first[donor]), int(first[donor + 1])
            annotation = int(annotations[low + int(chance * (high - low))])
            background = int(one_pass.backgrounds[at])
            candidates.append(Candidate(number, donor, background, annotation, self.difficulty))
        return candidates


_PLANS: dict[Any, DrawnPlan] = {}


def _interned(
    spec: SetSpec, seed: int, source: CocoSource, difficulty: str, unbounded: bool
) -> DrawnPlan:
    key = (spec.sha256, seed, source, difficulty, unbounded)
    if key not in _PLANS:
        _PLANS[key] = DrawnPlan(spec, seed, source, difficulty, unbounded)
    return _PLANS[key]
