"""``resampling``: the donor is resized before the region is mapped, which resamples it twice."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta

from cisdl_bench.transforms.base import Parameter, Transformation
from cisdl_bench.transforms.matrix import Floats
from cisdl_bench.transforms.ranges import Ranged, uniform

# Below one half, bilinear interpolation of the first resampling would leave pixels out.
Factor = Annotated[float, Meta(ge=0.5, le=4)]


@dataclass(frozen=True)
class Resampling(Ranged, Transformation):
    """A first factor uniform between two ends; the second resampling undoes it.

    The region lies where it would without; its pixels have been interpolated twice.

    Attributes:
        low: Smallest factor.
        high: Largest factor.
        step: Distance of neighbouring factors; 0: any factor.
    """

    name: ClassVar[str] = "resampling"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "first_size", 1.0, 0.5, 4.0, "factor of the first resampling", "resized by {:.3g} first"
        ),
    )
    numbers: ClassVar[int] = 1

    low: Factor
    high: Factor
    step: Annotated[float, Meta(ge=0)] = 0.0

    def sample(self, u: Floats, size: int) -> Floats:
        """Return the factor, float64 (1, ...)."""
        return uniform(u, self.low, self.high, self.step)

    def first_size(self, values: tuple[float, ...]) -> float:
        """Return the factor.

        >>> Resampling(1.0, 0.5, 2).first_size((0.8,))
        0.8
        """
        return values[0]
