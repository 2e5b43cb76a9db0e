"""``scale``: the region grows or shrinks alike along both axes."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta

from cisdl_bench.transforms.base import Parameter, Share, Transformation
from cisdl_bench.transforms.matrix import AFFINE, Entry, Floats, Matrix
from cisdl_bench.transforms.ranges import Ranged, reciprocal, uniform

Factor = Annotated[float, Meta(ge=1 / 64, le=64)]


@dataclass(frozen=True)
class Scale(Ranged, Transformation):
    """The factor uniform between two ends (section IV-A).

    Attributes:
        low: Lowest factor.
        high: Highest factor.
        step: Distance of neighbouring factors; 0: any factor.
        reciprocal: Share of the draws that are replaced by one over them, as in the release.
    """

    name: ClassVar[str] = "scale"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("scale", 1.0, 1 / 64, 64.0, "scale factor", "scale factor {:.3g}"),
    )
    numbers: ClassVar[int] = 2

    low: Factor
    high: Factor
    step: Annotated[float, Meta(ge=0)] = 0.0
    reciprocal: Share = 0.0

    def sample(self, u: Floats, size: int) -> Floats:
        """Return the factor, float64 (1, ...)."""
        factors = uniform(u[:1], self.low, self.high, self.step)
        return reciprocal(factors, u[1:], self.reciprocal)

    def matrix(self, values: tuple[Entry, ...], size: int) -> Matrix:
        """Return the enlargement."""
        return (values[0], 0.0, 0.0), (0.0, values[0], 0.0), AFFINE

    def area_factor(self, values: tuple[Entry, ...]) -> Entry:
        """Return the factor's square."""
        return values[0] ** 2
