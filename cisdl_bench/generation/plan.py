"""Which picture, background and instance each candidate of a set gets."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import SourceError
from cisdl_bench.generation.choices import choose_lookalikes, choose_others
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
        further: Position of the picture and of the instance of each further region.
    """

    number: int
    donor: int
    background: int
    annotation: int
    difficulty: str
    parameters: tuple[float, ...] | None = None
    further: tuple[tuple[int, int], ...] = ()

    def own_parameters(self, spec: SetSpec, region: int = 1) -> tuple[float, ...] | None:
        """Return the parameters of one region's transformations where they are given.

        Args:
            spec: The set's spec.
            region: Number of the region: 1 for the first, 2 for the first further one.
        """
        if self.parameters is None:
            return None
        count = spec.own_parameter_count
        start = (region - 1) * (count + 2)
        return self.parameters[start : start + count]


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
    backgrounds: Ints  # a position for each rank and visit, -1 where there is none
    others: Ints  # positions of further donors for each rank and visit, (n, 0) where none are asked


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
        classes = self.spec.classes(self.difficulty).values()
        return self._of_area(min(above for above, _ in classes), max(most for _, most in classes))

    @cached_property
    def _eligible_further(self) -> tuple[Ints, Ints]:
        """Annotations whose area a further region may have, as ``_eligible``."""
        return self._of_area(*self.spec.further_range(self.difficulty))

    def _of_area(self, low: float, high: float) -> tuple[Ints, Ints]:
        index = self.source.index
        share = index.area_frac()
        chosen = (share > low * (1 - _AREA_SLACK)) & (share <= high * (1 + _AREA_SLACK))
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
            u = draws.random(len(visited))
            if self.spec.backgrounds == "any":
                backgrounds = self._backgrounds(visited, u)
            else:
                first = number * self.per_pass()
                annotations = self._annotations(visited, first)
                backgrounds = choose_lookalikes(self.source.index, annotations, u)
            others = self._others(visited, backgrounds, number)
            self._passes = {number: _Pass(donors, backgrounds, others)}
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

    def _annotations(self, donors: Ints, first: int) -> Ints:
        """Return the instance that each candidate pastes.

        Args:
            donors: Position of each candidate's donor, (n,).
            first: Number of the first candidate.
        """
        annotations, start = self._eligible
        u = uniform_block(self.seed, *self._key, "instance", first=first, shape=donors.shape)
        low, high = start[donors], start[donors + 1]
        return annotations[low + (u * (high - low)).astype(np.int64)]

    def _others(self, donors: Ints, backgrounds: Ints, number: int) -> Ints:
        """Return other pictures with instances for further regions, (n, count), -1 for none."""
        further = self.spec.further
        if further is None or further.donor == "same":
            return np.zeros((len(donors), 0), dtype=np.int64)
        some = np.flatnonzero(np.diff(self._eligible_further[1]))
        group = np.asarray(self.source.index.picture_group)
        draws = stream(self.seed, *self._key, "further donors", index=number)
        u = draws.random((len(donors), further.count))
        others = np.full(u.shape, -1, dtype=np.int64)
        for place, (donor, background) in enumerate(zip(donors, backgrounds, strict=True)):
            known = [group[donor], group[background]]
            for k, chance in enumerate(u[place].tolist()):
                allowed = some[~np.isin(group[some], known)]
                if allowed.size:
                    others[place, k] = allowed[int(chance * allowed.size)]
                    known.append(group[others[place, k]])
        return others

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
            needed.append(one_pass.others[low:high].ravel())
        positions = np.concatenate(needed)
        return positions[positions >= 0]

    def candidates(self, start: int, stop: int) -> list[Candidate | str]:
        """Return a range of candidates: donor, background and one of the donor's instances."""
        per_pass, visits = self.per_pass(), self.spec.visits
        candidates: list[Candidate | str] = []
        for turn in range(start // per_pass, -(-stop // per_pass)):
            low, high = max(start, turn * per_pass), min(stop, (turn + 1) * per_pass)
            one_pass = self._pass(turn)
            at = np.arange(low, high) - turn * per_pass
            donors, backgrounds = one_pass.donors[at // visits], one_pass.backgrounds[at]
            annotations = self._annotations(donors, low)
            further = self._further(low, donors, annotations, one_pass.others[at])
            columns = (part.tolist() for part in (donors, backgrounds, annotations))
            for number, donor, background, annotation, more in zip(
                range(low, high), *columns, further, strict=True
            ):
                if background < 0:
                    candidates.append("no other picture shows the instance's category")
                elif more is None:
                    candidates.append("too few instances for the further regions")
                else:
                    candidates.append(
                        Candidate(
                            number,
                            donor,
                            background,
                            annotation,
                            self.difficulty,
                            further=more,
                        )
                    )
        return candidates

    def _further(
        self, start: int, donors: Ints, annotations: Ints, others: Ints
    ) -> list[tuple[tuple[int, int], ...] | None]:
        """Return picture and instance of each further region; None where there are too few."""
        further = self.spec.further
        if further is None:
            return [()] * len(donors)
        some, first = self._eligible_further
        shape = (len(donors), further.count)
        begin = start * further.count
        u = uniform_block(self.seed, *self._key, "further instances", first=begin, shape=shape)
        chosen: list[tuple[tuple[int, int], ...] | None] = []
        for k, donor in enumerate(donors.tolist()):
            if further.donor == "same":
                own = some[first[donor] : first[donor + 1]]
                more = choose_others(own[own != annotations[k]], further.count, u[k])
                pairs = None if more is None else [(donor, a) for a in more.tolist()]
            elif (others[k] < 0).any():
                pairs = None
            else:
                low, high = first[others[k]], first[others[k] + 1]
                instances = some[low + (u[k] * (high - low)).astype(np.int64)]
                pairs = list(zip(others[k].tolist(), instances.tolist(), strict=True))
            chosen.append(None if pairs is None else tuple(pairs))
        return chosen


_PLANS: dict[Any, DrawnPlan] = {}


def _interned(
    spec: SetSpec, seed: int, source: CocoSource, difficulty: str, unbounded: bool
) -> DrawnPlan:
    key = (spec.sha256, seed, source, difficulty, unbounded)
    if key not in _PLANS:
        _PLANS[key] = DrawnPlan(spec, seed, source, difficulty, unbounded)
    return _PLANS[key]
