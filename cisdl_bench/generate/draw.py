"""Drawing a region's parameters, uniform over those under which it stays whole and in its class."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.generate.affine import Affine, affine_of
from cisdl_bench.generate.outline import Outline, Placement, extent
from cisdl_bench.records import Parameters
from cisdl_bench.specs import SetSpec, Transformation

REFERENCE_PX = 256  # the canvas that a shift's range is said for
_BATCHES = (48, 256, 512)

Floats = npt.NDArray[np.float64]


def class_of(area_px: int, size: int, classes: Mapping[str, tuple[float, float]]) -> str | None:
    """Return the class whose share of the canvas an area has, None where there is none.

    >>> class_of(6554, 256, {"difficult": (0.01, 0.1), "normal": (0.1, 0.25)})
    'normal'
    """
    share = area_px / (size * size)
    for name, (above, at_most) in classes.items():
        if above < share <= at_most:
            return name
    return None


def draw_switches(rng: np.random.Generator, spec: SetSpec) -> dict[str, bool]:
    """Return which transformations one composite gets, drawn once and each on its own."""
    draws = rng.random(len(spec.transformations)).tolist()
    table = spec.transformations.items()
    return {name: u < t.probability for u, (name, t) in zip(draws, table, strict=True)}


def draw_placements(
    rng: np.random.Generator,
    spec: SetSpec,
    switches: Mapping[str, bool],
    outline: Outline,
    area_range: tuple[float, float],
) -> Iterator[Placement]:
    """Yield admissible placements, each an independent draw, until the spec's tries run out.

    All parameters of a try are drawn together; a try is refused where the transformed outline
    leaves the canvas or the area that it predicts leaves ``area_range``, so what is yielded is
    uniform over the admissible ones (PROTOCOL section 3).

    Args:
        rng: The composite's stream.
        spec: Its ranges and its number of tries.
        switches: From ``draw_switches``.
        outline: The region on the donor's canvas.
        area_range: (above, at most), shares of the canvas, for the pasted region.
    """
    size = spec.size
    low, high = (share * size * size for share in area_range)
    ranges = _ranges(size, tuple(spec.transformations.items()), tuple(switches.values()))
    left_to_try = spec.max_tries
    batch = iter(_BATCHES)
    tries = 0
    while left_to_try > 0:
        tries = min(next(batch, tries), left_to_try)
        left_to_try -= tries
        drawn = _drawn(rng.random((len(_DRAWS) + len(_CHOICES), tries)), ranges)
        area = outline.area_px * drawn[3] ** 2 * drawn[5] * drawn[6]
        fitting = np.flatnonzero((area > low) & (area <= high))
        if len(fitting):
            drawn = drawn[:, fitting]
            affine = affine_of(Parameters(*drawn), size)
            low_px, high_px = extent(outline, affine)
            whole = ((low_px >= 0) & (high_px <= size)).all(axis=0)
            for k in np.flatnonzero(whole).tolist():
                yield Placement(
                    Parameters(*drawn[:, k].tolist()),
                    Affine(*(float(field[k]) for field in affine)),  # type: ignore[index]
                    tuple(low_px[:, k].tolist()),
                    tuple(high_px[:, k].tolist()),
                )
        if not any(switches.values()):
            return  # every further try is the same


# One uniform number each, in the order of the fields of Parameters; then three choices.
_DRAWS = ("shift", "shift", "rotation", "scale", "luminance", "deformation", "deformation")
_CHOICES = ("scale is reciprocal", "deformation is reciprocal", "deformation is of the height")
_NEUTRAL = (0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0)


class _Ranges(NamedTuple):
    """How uniform numbers become parameters: low + span u, on a grid where there are steps.

    Attributes:
        low: float64, (7, 1).
        span: float64, (7, 1); one step more than the range where there are steps.
        stepped: Rows and step of those; neighbours of one step together.
        reciprocal: Share of the scales, and of the factors of a side, that are turned over.
        height: Share of the deformations that are of the height.
    """

    low: Floats
    span: Floats
    stepped: tuple[tuple[slice, float], ...]
    reciprocal: tuple[float, float]
    height: float


@lru_cache(maxsize=256)
def _ranges(
    size: int, table: tuple[tuple[str, Transformation], ...], switches: tuple[bool, ...]
) -> _Ranges:
    low, span = np.array(_NEUTRAL)[:, None], np.zeros((7, 1))
    stepped: list[tuple[slice, float]] = []
    applied = {name: of for (name, of), on in zip(table, switches, strict=True) if on}
    for row, name in enumerate(_DRAWS):
        if name not in applied:
            continue
        of = applied[name]
        factor = size / REFERENCE_PX if name == "shift" else 1.0
        low[row], span[row] = of.low * factor, (of.high - of.low) * factor
        if of.step:
            span[row] = (round(float(span[row, 0]) / of.step) + 1) * of.step
            rows = slice(row, row + 1)
            if stepped and stepped[-1][0].stop == row and stepped[-1][1] == of.step:
                rows = slice(stepped.pop()[0].start, row + 1)
            stepped.append((rows, of.step))
    scale, side = (
        applied[name].reciprocal if name in applied else 0.0 for name in ("scale", "deformation")
    )
    either = "deformation" in applied and applied["deformation"].axis == "either"
    return _Ranges(low, span, tuple(stepped), (scale, side), 0.5 if either else 0.0)


def _drawn(u: Floats, ranges: _Ranges) -> Floats:
    """Turn uniform numbers, (10, T), into T sets of parameters, (7, T)."""
    drawn = u[:7] * ranges.span
    for rows, step in ranges.stepped:
        steps = np.floor(drawn[rows] / step, out=drawn[rows])
        steps *= step
    drawn += ranges.low
    for row, share, choice in ((3, ranges.reciprocal[0], u[7]), (5, ranges.reciprocal[1], u[8])):
        if share:
            drawn[row] = np.where(choice < share, 1 / drawn[row], drawn[row])
    # One factor is drawn; it goes to one side.
    drawn[6] = 1.0
    if ranges.height:
        tall = u[9] < ranges.height
        drawn[6, tall] = drawn[5, tall]
        drawn[5, tall] = 1.0
    return drawn
