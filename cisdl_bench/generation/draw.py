"""Drawing a region's parameters, uniform over those under which it stays whole and in its class."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import CisdlError
from cisdl_bench.generation.outline import Extent, Outline, transformed_extent
from cisdl_bench.seeding import uniform_block
from cisdl_bench.specs import SetSpec
from cisdl_bench.transforms.base import Transformation
from cisdl_bench.transforms.matrix import (
    IDENTITY,
    Entry,
    Floats,
    Matrix,
    about_centre,
    one,
    product,
    take,
)

_BATCHES = (48, 256, 512)  # tries at a time; the last again and again
_TOGETHER = 4608  # tries computed at once, so that they stay in the cache
_LARGEST = 0.5  # of the canvas: the upper end of the easy class
_FEW = 4  # points of a hull that are looked at first


class PlacementRequest(NamedTuple):
    """A region that a place on the canvas is wanted for.

    Attributes:
        number: The candidate's number, which keys its random numbers.
        difficulty: Class that the set is of, or ``all``; part of the key.
        outline: Hull and area of the region in the donor.
        area_range: Shares of the canvas for the pasted region: above the first, at most the second.
        parameters: Values of all parameters where they are given, as by a recipe; None: drawn.
    """

    number: int
    difficulty: str
    outline: Outline
    area_range: tuple[float, float]
    parameters: tuple[float, ...] | None = None


class Placement(NamedTuple):
    """Parameters and where they put a region.

    Attributes:
        parameters: Values of the transformations' parameters in the order of the spec.
        matrix: Map from the donor's canvas to the composite's, in plain numbers.
        box: Left, top, right and bottom of the transformed region, px.
    """

    parameters: tuple[float, ...]
    matrix: Matrix
    box: tuple[float, float, float, float]


def area_class(
    area_px: int, size: int, classes: Mapping[str, tuple[float, float]], closed: str = "above"
) -> str | None:
    """Return the class whose share of the canvas an area has, None where there is none.

    Args:
        area_px: Area in px.
        size: Side of the canvas in px.
        classes: Lower and upper end of each class, shares of the canvas.
        closed: Which end belongs to a class: ``above``, or ``below`` as in the release, where one
            half, the upper end of all, belongs to its class too.

    >>> classes = {"difficult": (0.01, 0.1), "normal": (0.1, 0.25)}
    >>> area_class(6554, 256, classes), area_class(16384, 256, classes)
    ('normal', 'normal')
    >>> area_class(16384, 256, classes, "below") is None
    True
    """
    share = area_px / (size * size)
    for name, (low, high) in classes.items():
        if closed == "above" and low < share <= high:
            return name
        if closed == "below" and low <= share and (share < high or share == high == _LARGEST):
            return name
    return None


def split_parameters(
    spec: SetSpec, parameters: Sequence[Entry]
) -> Iterator[tuple[Transformation, tuple[Entry, ...]]]:
    """Yield a set's transformations, each with its own of the parameters."""
    start = 0
    for transformation in spec.transformations.values():
        stop = start + len(transformation.parameters)
        yield transformation, tuple(parameters[start:stop])
        start = stop


def composed_matrix(spec: SetSpec, parameters: Sequence[Entry]) -> Matrix:
    """Return the map that a set's transformations make together, applied in their order.

    Args:
        spec: The set's spec.
        parameters: A value of each parameter, numbers or arrays of one shape.

    >>> from cisdl_bench.specs import load_spec
    >>> composed_matrix(load_spec("shift"), (3.0, 0.0))[0]
    (1.0, 0.0, 3.0)
    """
    matrix = IDENTITY
    for transformation, values in split_parameters(spec, parameters):
        try:
            own = transformation.matrix(values, spec.size)
            if [len(row) for row in own] != [3, 3, 3]:
                raise ValueError("expected three rows of three")
            matrix = product(own, matrix)
        except Exception as error:
            raise transformation.fault("matrix", error) from error
    return about_centre(matrix, spec.size)


def draw_placements(
    spec: SetSpec, seed: int, requests: Sequence[PlacementRequest], region: int = 1
) -> list[Iterator[Placement]]:
    """Return, for each request, its admissible placements until the spec's tries run out.

    All parameters of a try are drawn together; a try is refused where the transformed outline
    leaves the canvas or the area that it predicts leaves ``area_range``, so what is yielded is
    uniform over the admissible ones (protocol, section 3). Tries of many requests are computed at
    once; what a request gets does not depend on the others. A request with parameters has one try.

    Args:
        spec: The set's spec.
        seed: The run's seed.
        requests: Rising in their numbers, of one difficulty.
        region: Number of the region among those of a composite, part of the random key.
    """
    drawn = [k for k, request in enumerate(requests) if request.parameters is None]
    placements: list[Iterator[Placement]] = [
        iter(()) if r.parameters is None else _given(spec, r, r.parameters) for r in requests
    ]
    if not drawn:
        return placements
    further = () if region == 1 else (f"region {region}",)
    key = (spec.full_name, requests[drawn[0]].difficulty, *further)
    draws = _Draws(spec, seed, key, [requests[k] for k in drawn])
    for k, own in zip(drawn, draws.placements(), strict=True):
        placements[k] = own
    return placements


def _given(
    spec: SetSpec, request: PlacementRequest, parameters: tuple[float, ...]
) -> Iterator[Placement]:
    """Yield the placement of given parameters where it stays on the canvas."""
    matrix = composed_matrix(spec, parameters)
    extent = transformed_extent(request.outline.points[:, :, None], matrix)
    if extent.inside(spec.size).size:
        left, top, right, bottom = (float(side[0]) for side in extent)
        yield Placement(parameters, matrix, (left, top, right, bottom))


class _Draws:
    """The tries of some requests of one set."""

    def __init__(
        self,
        spec: SetSpec,
        seed: int,
        key: tuple[str, ...],
        requests: Sequence[PlacementRequest],
    ) -> None:
        self.spec, self.seed, self.requests, self.key = spec, seed, requests, key
        first, last = requests[0].number, requests[-1].number
        numbers = np.array([request.number for request in requests])
        self.switches: list[npt.NDArray[np.bool_]] = []
        for transformation in spec.transformations.values():
            name = transformation.name
            shape = (last - first + 1,)
            u = uniform_block(seed, *self.key, name, "switch", first=first, shape=shape)
            self.switches.append(u[numbers - first] < transformation.probability)
        self.moving = np.any([np.zeros(len(requests), dtype=bool), *self.switches], axis=0)

    def placements(self) -> list[Iterator[Placement]]:
        """Return each request's placements; tries go on where none was admissible so far."""
        placements: list[Iterator[Placement]] = [iter(())] * len(self.requests)
        rounds = [0] * len(self.requests)
        waiting = list(range(len(self.requests)))
        for turn, tries in enumerate(_batches(self.spec.max_tries)):
            together = max(1, _TOGETHER // tries)
            groups = [waiting[k : k + together] for k in range(0, len(waiting), together)]
            waiting = []
            for group in groups:
                for k, (count, some) in zip(group, self._tried(group, turn, tries), strict=True):
                    placements[k], rounds[k] = some, turn + 1
                    if not count and self.moving[k]:
                        waiting.append(k)
        return [
            chain(some, self._further(k, turn))
            for k, (some, turn) in enumerate(zip(placements, rounds, strict=True))
        ]

    def _further(self, k: int, after: int) -> Iterator[Placement]:
        """Yield the placements of the batches behind the first ones."""
        if self.moving[k]:  # else every further try is the same
            for turn, tries in enumerate(_batches(self.spec.max_tries)):
                if turn >= after:
                    yield from self._tried([k], turn, tries)[0][1]

    def _uniform(
        self, transformation: Transformation, group: Sequence[int], turn: int, tries: int
    ) -> Floats:
        """Return a transformation's uniform numbers, (numbers, n, tries)."""
        each = (transformation.numbers, tries)
        key = (*self.key, transformation.name, f"tries {turn}")
        stride = transformation.numbers * tries
        numbers = [self.requests[k].number for k in group]
        first, count = numbers[0], numbers[-1] - numbers[0] + 1
        if count <= 4 * len(numbers):  # most numbers of the range are wanted
            block = uniform_block(self.seed, *key, first=first * stride, shape=(count, *each))
            u = block[np.array(numbers) - first]
        else:
            u = np.stack(
                [uniform_block(self.seed, *key, first=n * stride, shape=each) for n in numbers]
            )
        return np.asarray(u.swapaxes(0, 1))

    def _drawn(self, group: Sequence[int], turn: int, tries: int) -> tuple[Floats, Floats]:
        """Return parameters, (p, n, tries), and the factors of the area, NaN where not known."""
        shape = (len(group), tries)
        values, start = np.empty((self.spec.own_parameter_count, *shape)), 0
        factor: Floats = np.ones(shape)
        transformations = self.spec.transformations.values()
        for transformation, switch in zip(transformations, self.switches, strict=True):
            count = len(transformation.parameters)
            own, start = values[start : start + count], start + count
            for row, parameter in zip(own, transformation.parameters, strict=True):
                row[:] = parameter.neutral
            on = np.flatnonzero(switch[group])
            if not on.size:
                continue
            u = self._uniform(transformation, [group[k] for k in on.tolist()], turn, tries)
            try:
                own[:, on] = transformation.draw(u, self.spec.size, thorough=turn == 0)
                grown = transformation.area_factor(tuple(own))
            except CisdlError:
                raise
            except Exception as error:
                raise transformation.fault("sample or area_factor", error) from error
            if grown is None:
                factor[on] = np.nan
            elif not (isinstance(grown, float) and grown == 1.0):
                factor *= grown
        return values, factor

    def _tried(
        self, group: Sequence[int], turn: int, tries: int
    ) -> list[tuple[int, Iterator[Placement]]]:
        """Return how many of the next tries of each request are admissible, and those."""
        spec, requests = self.spec, [self.requests[k] for k in group]
        values, factor = self._drawn(group, turn, tries)
        areas = np.array([[request.outline.area_px] for request in requests]) * factor
        canvas = spec.size * spec.size
        low, high = np.array([request.area_range for request in requests]).T[:, :, None] * canvas
        # A region whose area is not known before it is drawn is judged by its rendered mask.
        fits = np.isnan(areas) | ((areas >= low) & (areas <= high))  # the ends: see area_class
        of_request, of_try = np.nonzero(fits)
        values = values[:, of_request, of_try]
        matrix = composed_matrix(spec, tuple(values))
        hulls = _stacked([request.outline.points for request in requests])
        # Most are refused by a few of the hull's points already.
        few = hulls[:, :: max(1, hulls.shape[1] // _FEW)].take(of_request, axis=2)
        likely = transformed_extent(few, matrix).inside(spec.size)
        matrix = take(matrix, likely)
        extent = transformed_extent(hulls.take(of_request[likely], axis=2), matrix)
        whole = extent.inside(spec.size)
        kept = likely[whole]
        ends = np.searchsorted(of_request[kept], np.arange(len(requests) + 1)).tolist()
        matrix, extent, values = take(matrix, whole), extent.take(whole), values[:, kept]
        return [
            (b - a, _placements(values, matrix, extent, range(a, b))) for a, b in pairwise(ends)
        ]


def _batches(tries: int) -> Iterator[int]:
    """Yield how many tries are computed at a time.

    >>> list(_batches(2000))
    [48, 256, 512, 512, 512, 160]
    """
    first = iter(_BATCHES)
    batch = 0
    while tries > 0:
        batch = min(next(first, batch), tries)
        tries -= batch
        yield batch


def _placements(
    values: Floats, matrix: Matrix, extent: Extent, which: range
) -> Iterator[Placement]:
    for k in which:
        left, top, right, bottom = (float(side[k]) for side in extent)
        parameters = tuple(values[:, k].tolist())
        yield Placement(parameters, one(matrix, k), (left, top, right, bottom))


def _stacked(hulls: Sequence[Floats]) -> Floats:
    """Return n hulls, (2, V) each, as (2, V, n); shorter ones repeat their first point."""
    most = max(hull.shape[1] for hull in hulls)
    stacked = np.empty((2, most, len(hulls)))
    for k, hull in enumerate(hulls):
        stacked[:, : hull.shape[1], k] = hull
        stacked[:, hull.shape[1] :, k] = hull[:, :1]
    return stacked
