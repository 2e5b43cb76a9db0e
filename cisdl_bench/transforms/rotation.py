"""``rotation``: the region turns about the canvas centre."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta

from cisdl_bench.transforms.base import Parameter, Transformation
from cisdl_bench.transforms.matrix import AFFINE, Entry, Floats, Matrix, cos_sin
from cisdl_bench.transforms.ranges import Ranged, uniform

Degrees = Annotated[float, Meta(ge=-180, le=180)]


@dataclass(frozen=True)
class Rotation(Ranged, Transformation):
    """The angle uniform between two ends (section IV-A).

    Attributes:
        low: Lowest angle in degrees, counter-clockwise as seen.
        high: Highest angle in degrees.
        step: Distance of neighbouring angles in degrees; 0: any angle.
    """

    name: ClassVar[str] = "rotation"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "rotation_deg", 0.0, -180.0, 180.0, "rotation, degrees", "rotation {:+.3g} degrees"
        ),
    )
    numbers: ClassVar[int] = 1

    low: Degrees
    high: Degrees
    step: Annotated[float, Meta(ge=0)] = 0.0

    def sample(self, u: Floats, size: int) -> Floats:
        """Return the angle in degrees, float64 (1, ...)."""
        return uniform(u, self.low, self.high, self.step)

    def matrix(self, values: tuple[Entry, ...], size: int) -> Matrix:
        """Return the rotation; rows count downwards, so counter-clockwise has this sign."""
        cos, sin = cos_sin(values[0])
        return (cos, sin, 0.0), (0.0 - sin, cos, 0.0), AFFINE
