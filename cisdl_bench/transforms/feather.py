"""``feather``: the region's border fades into the background."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2
import numpy as np
from msgspec import Meta

from cisdl_bench.transforms.base import Layer, Parameter, Transformation
from cisdl_bench.transforms.matrix import Floats
from cisdl_bench.transforms.ranges import Ranged, uniform

_WIDEST_PX = 16.0
_SIGMAS = 3  # of a Gaussian until it is cut off


@dataclass(frozen=True)
class Feather(Ranged, Transformation):
    """The mask is blurred by a Gaussian before it weighs region and background.

    The true mask stays as it was: the border lies where both have half.

    Attributes:
        low: Smallest standard deviation of the Gaussian, px.
        high: Largest standard deviation of the Gaussian, px.
        step: Distance of neighbouring deviations, px.
    """

    name: ClassVar[str] = "feather"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("feather_px", 0.0, 0.0, _WIDEST_PX, "feathered border, px", "feather {:.1f} px"),
    )
    numbers: ClassVar[int] = 1
    margin_px: ClassVar[int] = round(_SIGMAS * _WIDEST_PX)

    low: Annotated[float, Meta(ge=0, le=_WIDEST_PX)]
    high: Annotated[float, Meta(ge=0, le=_WIDEST_PX)]
    step: Annotated[float, Meta(ge=0)] = 0.0

    def sample(self, u: Floats, size: int) -> Floats:
        """Return the deviation in px, float64 (1, ...)."""
        return uniform(u, self.low, self.high, self.step)

    def blend(self, layer: Layer, values: tuple[float, ...]) -> Layer:
        """Return the layer with its mask blurred.

        >>> line = np.array([[0, 0, 0, 255, 255, 255]], dtype=np.uint8)
        >>> flat = np.zeros((1, 6, 3), dtype=np.uint8)
        >>> Feather(1.0, 1, 1).blend(Layer(flat, line > 0, line, flat), (1.0,)).alpha.tolist()
        [[1, 15, 77, 178, 240, 254]]
        """
        if not values[0]:
            return layer
        side = 2 * round(_SIGMAS * values[0]) + 1
        # Of uint8, OpenCV's Gaussian is exact in fixed point, the same on all processors.
        soft = cv2.GaussianBlur(
            layer.alpha, (side, side), values[0], borderType=cv2.BORDER_REPLICATE
        )
        return layer._replace(alpha=np.asarray(soft, dtype=np.uint8))
