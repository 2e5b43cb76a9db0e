"""Which picture, background and instance each candidate of a set gets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import SourceError
from cisdl_bench.generate.draw import Wish, draw_placements, draw_switches
from cisdl_bench.generate.outline import Outline, Placement
from cisdl_bench.seeding import permutation, stream
from cisdl_bench.sources.coco import CocoSource
from cisdl_bench.specs import SetSpec

Ints = npt.NDArray[np.int64]

# The outline's area and that of its mask on the canvas differ a little; see PERFORMANCE.
_AREA_SLACK = 0.1


class Candidate(NamedTuple):
    """A composite that may come about; positions are those of the source's index.

    Attributes:
        number: Part of its random key, kept with the composite as its index.
        difficulty: The class it must fall into, or ``all``.
        rng: Its random stream, where there is anything left to draw.
        row: Its row in a recipe.
    """

    number: int
    donor: int
    background: int
    annotation: int
    difficulty: str
    rng: np.random.Generator | None = None
    row: int = 0


class Wanted(NamedTuple):
    """A candidate whose region is known, and the shares of the canvas it must have."""

    candidate: Candidate
    outline: Outline
    area_range: tuple[float, float]


class Plan(Protocol):
    """The candidates of one set, in order; what is random in them is keyed by their number."""

    @property
    def spec(self) -> SetSpec:
        """The set's spec."""
        ...

    @property
    def source(self) -> CocoSource:
        """Where its pictures come from."""
        ...

    @property
    def total(self) -> int:
        """How many candidates there are at most."""
        ...

    def pictures(self, start: int, stop: int) -> Ints:
        """Return the positions of the pictures that a range of candidates needs, in order."""
        ...

    def candidate(self, number: int) -> Candidate | str:
        """Return a candidate, or the reason why there is none."""
        ...

    def placements(self, wanted: Sequence[Wanted]) -> list[Iterator[Placement]]:
        """Return the placements to try for each of some candidates."""
        ...


class _Pass(NamedTuple):
    donors: Ints  # a position for each rank
    backgrounds: Ints  # a position for each rank and visit


@dataclass
class DrawnPlan:
    """Candidates drawn at random from a source.

    Pass by pass over the donors in a random order; each donor is visited ``spec.visits`` times
    in a row, each time with another instance, background and parameters.

    Attributes:
        unbounded: Go on past ``spec.traversals``, as long as it takes.
    """

    spec: SetSpec
    difficulty: str
    seed: int
    source: CocoSource
    unbounded: bool = False

    def __post_init__(self) -> None:
        self._passes: dict[int, _Pass] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker keeps one plan for all its tasks, with the orders that it has drawn.
        return _interned, (self.spec, self.difficulty, self.seed, self.source, self.unbounded)

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
        return len(self.donors) * self.spec.visits * passes

    def per_pass(self) -> int:
        """Return the number of candidates in one pass over the donors."""
        return len(self.donors) * self.spec.visits

    def _pass(self, number: int) -> _Pass:
        if number not in self._passes:
            key = (self.spec.full_name, self.difficulty)
            order = stream(self.seed, *key, "donors", index=number)
            donors = self.donors[permutation(order, len(self.donors))]
            draws = stream(self.seed, *key, "backgrounds", index=number)
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
        per_pass = self.per_pass()
        for number in range(start // per_pass, -(-stop // per_pass)):
            low = max(start - number * per_pass, 0)
            high = min(stop - number * per_pass, per_pass)
            here = self._pass(number)
            needed.append(here.donors[low // self.spec.visits : -(-high // self.spec.visits)])
            needed.append(here.backgrounds[low:high])
        return np.concatenate(needed)

    def candidate(self, number: int) -> Candidate | str:
        """Return a candidate: its donor, its background and one of the donor's instances."""
        turn, at = divmod(number, self.per_pass())
        here = self._pass(turn)
        donor = int(here.donors[at // self.spec.visits])
        annotations, first = self._eligible
        low, high = int(first[donor]), int(first[donor + 1])
        rng = stream(self.seed, self.spec.full_name, self.difficulty, index=number)
        annotation = int(annotations[low + int(rng.random() * (high - low))])
        background = int(here.backgrounds[at])
        return Candidate(number, donor, background, annotation, self.difficulty, rng)

    def placements(self, wanted: Sequence[Wanted]) -> list[Iterator[Placement]]:
        """Return each candidate's admissible placements until the spec's tries run out."""
        wishes = []
        for candidate, outline, area_range in wanted:
            assert candidate.rng is not None
            switches = draw_switches(candidate.rng, self.spec)
            wishes.append(Wish(candidate.rng, switches, outline, area_range))
        return draw_placements(self.spec, wishes)


_PLANS: dict[Any, DrawnPlan] = {}


def _interned(
    spec: SetSpec, difficulty: str, seed: int, source: CocoSource, unbounded: bool
) -> DrawnPlan:
    key = (spec.sha256, difficulty, seed, source, unbounded)
    if key not in _PLANS:
        _PLANS[key] = DrawnPlan(spec, difficulty, seed, source, unbounded)
    return _PLANS[key]
