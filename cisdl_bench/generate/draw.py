"""Drawing a region's parameters, uniform over those under which it stays whole and in its class."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.generate.affine import Affine, affine_of
from cisdl_bench.generate.outline import Outline, Placement, extent
from cisdl_bench.records import Parameters
from cisdl_bench.specs import SetSpec, Transformation

REFERENCE_PX = 256  # the canvas that a shift's range is said for
_BATCHES = (48, 256, 512)  # tries at a time; the last again and again
_TOGETHER = 1536  # tries computed at once, so that they stay in the cache

_LARGEST = 0.5  # of the canvas: the upper end of the easy class
_FEW = 4  # points of a hull that are looked at first

Floats = npt.NDArray[np.float64]


def class_of(
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
    >>> class_of(6554, 256, classes), class_of(16384, 256, classes)
    ('normal', 'normal')
    >>> class_of(16384, 256, classes, "below") is None
    True
    """
    share = area_px / (size * size)
    for name, (low, high) in classes.items():
        if closed == "above" and low < share <= high:
            return name
        if closed == "below" and low <= share and (share < high or share == high == _LARGEST):
            return name
    return None


def draw_switches(rng: np.random.Generator, spec: SetSpec) -> dict[str, bool]:
    """Return which transformations one composite gets, drawn once and each on its own."""
    draws = rng.random(len(spec.transformations)).tolist()
    table = spec.transformations.items()
    return {name: u < t.probability for u, (name, t) in zip(draws, table, strict=True)}


class Wish(NamedTuple):
    """A region on the donor's canvas that placements are wanted for.

    Attributes:
        rng: The composite's stream.
        switches: From ``draw_switches``.
        outline: The region.
        area_range: (above, at most), shares of the canvas, for the pasted region.
    """

    rng: np.random.Generator
    switches: Mapping[str, bool]
    outline: Outline
    area_range: tuple[float, float]


def draw_placements(spec: SetSpec, wishes: Sequence[Wish]) -> list[Iterator[Placement]]:
    """Return, for each wish, its admissible placements until the spec's tries run out.

    All parameters of a try are drawn together; a try is refused where the transformed outline
    leaves the canvas or the area that it predicts leaves ``area_range``, so what is yielded is
    uniform over the admissible ones (PROTOCOL section 3). Tries of many wishes are computed at
    once; what a wish gets does not depend on the others.
    """
    found: list[Iterator[Placement]] = [iter(())] * len(wishes)
    rounds = [0] * len(wishes)
    waiting = list(range(len(wishes)))
    for turn, tries in enumerate(_batches(spec.max_tries)):
        together = max(1, _TOGETHER // tries)
        groups = [waiting[k : k + together] for k in range(0, len(waiting), together)]
        waiting = []
        for group in groups:
            drawn = _tried(spec, [wishes[k] for k in group], tries)
            for k, (admissible, placements) in zip(group, drawn, strict=True):
                found[k], rounds[k] = placements, turn + 1
                if not admissible and any(wishes[k].switches.values()):
                    waiting.append(k)
    return [
        chain(placements, _further(spec, wish, turn))
        for wish, placements, turn in zip(wishes, found, rounds, strict=True)
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


def _further(spec: SetSpec, wish: Wish, after: int) -> Iterator[Placement]:
    """Yield the placements of the batches behind the first ones."""
    if any(wish.switches.values()):  # else every further try is the same
        for tries in islice(_batches(spec.max_tries), after, None):
            yield from _tried(spec, [wish], tries)[0][1]


def _tried(
    spec: SetSpec, wishes: Sequence[Wish], tries: int
) -> list[tuple[int, Iterator[Placement]]]:
    """Return how many of the next tries of each wish are admissible, and those."""
    canvas = spec.size * spec.size
    u = np.stack([wish.rng.random((_NUMBERS, tries)) for wish in wishes], axis=1)
    switches = np.array([[wish.switches[name] for name in _DRAWS] for wish in wishes])
    drawn = _drawn(u, switches.T[:, :, None], _ranges(spec.size, *spec.transformations.items()))
    areas = np.array([[wish.outline.area_px] for wish in wishes])
    low, high = np.array([wish.area_range for wish in wishes]).T[:, :, None] * canvas
    area = areas * drawn[3] ** 2 * drawn[5] * drawn[6]
    of_wish, of_try = np.nonzero((area >= low) & (area <= high))  # the ends: see class_of
    drawn = drawn[:, of_wish, of_try]
    affine = affine_of(Parameters(*drawn), spec.size)
    hulls = _stacked([wish.outline.points for wish in wishes])
    # Most are refused by a few of the hull's points already.
    corners = extent(hulls[:, :: max(1, hulls.shape[1] // _FEW)].take(of_wish, axis=2), affine)
    likely = _inside(corners, spec.size)
    affine = affine.take(likely)
    corners = extent(hulls.take(of_wish[likely], axis=2), affine)
    whole = _inside(corners, spec.size)
    kept = likely[whole]
    ends = np.searchsorted(of_wish[kept], np.arange(len(wishes) + 1)).tolist()
    affine = affine.take(whole)
    drawn, corners = drawn[:, kept], corners[:, :, whole]
    return [(b - a, _placements(drawn, affine, corners, range(a, b))) for a, b in pairwise(ends)]


def _inside(corners: Floats, size: int) -> npt.NDArray[np.int64]:
    return np.flatnonzero(((corners[0] >= 0) & (corners[1] <= size)).all(axis=0))


def _placements(
    drawn: Floats, affine: Affine, corners: Floats, which: range
) -> Iterator[Placement]:
    for k in which:
        low, high = corners[:, :, k].tolist()
        yield Placement(
            Parameters(*drawn[:, k].tolist()),
            Affine(*(float(field[k]) for field in affine)),  # type: ignore[index]
            (low[0], low[1]),
            (high[0], high[1]),
        )


def _stacked(hulls: Sequence[Floats]) -> Floats:
    """Return n hulls, (2, V) each, as (2, V, n); shorter ones repeat their first point."""
    most = max(hull.shape[1] for hull in hulls)
    stacked = np.empty((2, most, len(hulls)))
    for k, hull in enumerate(hulls):
        stacked[:, : hull.shape[1], k] = hull
        stacked[:, hull.shape[1] :, k] = hull[:, :1]
    return stacked


# One uniform number each, in the order of the fields of Parameters; then three choices.
_DRAWS = ("shift", "shift", "rotation", "scale", "luminance", "deformation", "deformation")
_LUMINANCE = 4
_CHOICES = ("scale is reciprocal", "deformation is reciprocal", "deformation is of the height")
_NUMBERS = len(_DRAWS) + len(_CHOICES)
_NEUTRAL = np.array((0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0))[:, None, None]


class _Ranges(NamedTuple):
    """How uniform numbers become parameters: low + span u, on a grid where there are steps.

    Attributes:
        low: float64, (7, 1, 1).
        span: float64, (7, 1, 1); one step more than the range where there are steps.
        steps: Rows with a step, and that.
        reciprocal: Share of the scales, and of the factors of a side, that are turned over.
        height: Share of the deformations that are of the height.
        inverse: Ends of a number that the height's factor is one over; None: as the width's.
    """

    low: Floats
    span: Floats
    steps: tuple[tuple[int, float], ...]
    reciprocal: tuple[float, float]
    height: float
    inverse: tuple[float, float] | None


@lru_cache(maxsize=64)
def _ranges(size: int, *table: tuple[str, Transformation]) -> _Ranges:
    low, span = _NEUTRAL.copy(), np.zeros((7, 1, 1))
    steps: list[tuple[int, float]] = []
    of_name = dict(table)
    for row, name in enumerate(_DRAWS):
        of = of_name[name]
        factor = size / REFERENCE_PX if name == "shift" else 1.0
        ends = [of.low * factor, of.high * factor]
        if of.step:
            # On the grid of this canvas, or no region would ever stay where it was.
            ends = [round(end / of.step) * of.step for end in ends]
            steps.append((row, of.step))
        low[row], span[row] = ends[0], ends[1] - ends[0] + of.step
    deformation = of_name["deformation"]
    reciprocal = of_name["scale"].reciprocal, deformation.reciprocal
    height = 0.5 if deformation.axis == "either" else 0.0
    inverse = (1 / deformation.high, 1 / deformation.low) if deformation.inverse_height else None
    return _Ranges(low, span, tuple(steps), reciprocal, height, inverse)


def _drawn(u: Floats, switches: npt.NDArray[np.bool_], ranges: _Ranges) -> Floats:
    """Turn uniform numbers, (10, n, T), into parameters, (7, n, T).

    What is switched off, (7, n, 1), has the span 0 at its neutral value, which no step, no
    reciprocal and no choice of a side changes.
    """
    drawn = u[:7] * np.where(switches, ranges.span, 0.0)
    for row, step in ranges.steps:
        drawn[row] = np.floor(drawn[row] / step) * step
    drawn += np.where(switches, ranges.low, _NEUTRAL)
    for row, share, choice in ((3, ranges.reciprocal[0], u[7]), (5, ranges.reciprocal[1], u[8])):
        if share:
            drawn[row] = np.where(choice < share, 1 / drawn[row], drawn[row])
    drawn[_LUMINANCE] = np.rint(drawn[_LUMINANCE])  # what is added to a picture is whole
    # One factor is drawn; it goes to one side.
    drawn[6] = 1.0
    if ranges.height:
        tall = u[9] < ranges.height
        factor = drawn[5]
        if ranges.inverse:
            low, high = ranges.inverse
            factor = np.where(switches[5], 1 / (low + (high - low) * u[5]), factor)
        drawn[6, tall] = factor[tall]
        drawn[5, tall] = 1.0
    return drawn
