"""``shift``: the region moves along both axes."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta

from cisdl_bench.transforms.base import Parameter, Transformation
from cisdl_bench.transforms.matrix import AFFINE, Entry, Floats, Matrix
from cisdl_bench.transforms.ranges import Ranged, uniform

REFERENCE_PX = 256  # the canvas that the range is said for
Px = Annotated[float, Meta(ge=-256, le=256)]


@dataclass(frozen=True)
class Shift(Ranged, Transformation):
    """Both shifts uniform between two ends (section IV-A).

    Attributes:
        low: Lowest shift, px of a 256 px canvas.
        high: Highest shift, px of a 256 px canvas.
        step: Distance of neighbouring values in px of the set's canvas; 0: any value.
    """

    name: ClassVar[str] = "shift"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("shift_x_px", 0.0, -4096.0, 4096.0, caption="shift x {:+.0f} px"),
        Parameter("shift_y_px", 0.0, -4096.0, 4096.0, caption="shift y {:+.0f} px"),
    )
    numbers: ClassVar[int] = 2

    low: Px
    high: Px
    step: Annotated[float, Meta(ge=0)] = 0.0

    def sample(self, u: Floats, size: int) -> Floats:
        """Return the shifts in px of the canvas, float64 (2, ...)."""
        low, high = (end * size / REFERENCE_PX for end in (self.low, self.high))
        if self.step:
            # On the grid of this canvas, or no region would ever stay where it was.
            low, high = (round(end / self.step) * self.step for end in (low, high))
        return uniform(u, low, high, self.step)

    def matrix(self, values: tuple[Entry, ...], size: int) -> Matrix:
        """Return the map p + t."""
        x, y = values
        return (1.0, 0.0, x), (0.0, 1.0, y), AFFINE
