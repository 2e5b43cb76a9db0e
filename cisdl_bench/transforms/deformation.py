"""``deformation``: the region is stretched or squeezed along one axis."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from cisdl_bench.transforms.base import Parameter, Share, Transformation
from cisdl_bench.transforms.matrix import AFFINE, Entry, Floats, Matrix
from cisdl_bench.transforms.ranges import Ranged, reciprocal, uniform

Factor = Annotated[float, Meta(ge=1 / 64, le=64)]


@dataclass(frozen=True)
class Deformation(Ranged, Transformation):
    """One factor uniform between two ends, of the width or of one side (section IV-A).

    Attributes:
        low: Lowest factor.
        high: Highest factor.
        step: Distance of neighbouring factors; 0: any factor.
        reciprocal: Share of the draws that are replaced by one over them.
        axis: ``width``, or ``either`` for the width or the height, one half each.
        inverse_height: Whether the height's factor is one over a number uniform between
            1 / ``high`` and 1 / ``low``, as the release draws it.
    """

    name: ClassVar[str] = "deformation"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("width_factor", 1.0, 1 / 64, 64.0, "width factor", "width factor {:.3g}"),
        Parameter("height_factor", 1.0, 1 / 64, 64.0, "height factor", "height factor {:.3g}"),
    )
    numbers: ClassVar[int] = 3

    low: Factor
    high: Factor
    step: Annotated[float, Meta(ge=0)] = 0.0
    reciprocal: Share = 0.0
    axis: Literal["width", "either"] = "width"
    inverse_height: bool = False

    def sample(self, u: Floats, size: int) -> Floats:
        """Return the factors of width and height, one of them 1, float64 (2, ...)."""
        wide = reciprocal(uniform(u[0], self.low, self.high, self.step), u[1], self.reciprocal)
        if self.axis == "width":
            return np.stack((wide, np.ones_like(wide)))
        high = 1 / uniform(u[0], 1 / self.high, 1 / self.low) if self.inverse_height else wide
        tall = u[2] < 0.5
        return np.stack((np.where(tall, 1.0, wide), np.where(tall, high, 1.0)))

    def matrix(self, values: tuple[Entry, ...], size: int) -> Matrix:
        """Return the stretching of both axes."""
        return (values[0], 0.0, 0.0), (0.0, values[1], 0.0), AFFINE

    def area_factor(self, values: tuple[Entry, ...]) -> Entry:
        """Return the product of both factors."""
        return values[0] * values[1]
