"""``luminance``: grey levels are added to the pasted pixels."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2
import numpy as np
from msgspec import Meta

from cisdl_bench.records import Pixels
from cisdl_bench.transforms.base import Parameter, Transformation
from cisdl_bench.transforms.matrix import Floats
from cisdl_bench.transforms.ranges import Ranged, uniform

Levels = Annotated[float, Meta(ge=-255, le=255)]


@dataclass(frozen=True)
class Luminance(Ranged, Transformation):
    """The change uniform between two ends, whole grey levels (section IV-A).

    Attributes:
        low: Lowest change in grey levels.
        high: Highest change in grey levels.
        step: Distance of neighbouring changes.
    """

    name: ClassVar[str] = "luminance"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "luminance",
            0.0,
            -255.0,
            255.0,
            "luminance, grey levels",
            "luminance {:+.3g} grey levels",
        ),
    )
    numbers: ClassVar[int] = 1

    low: Levels
    high: Levels
    step: Annotated[float, Meta(ge=0)] = 0.0

    def sample(self, u: Floats, size: int) -> Floats:
        """Return the change in whole grey levels, float64 (1, ...)."""
        return np.asarray(np.rint(uniform(u, self.low, self.high, self.step)))

    def change_pixels(self, patch: Pixels, values: tuple[float, ...]) -> Pixels:
        """Return the pixels with the change added to every channel, clipped to 0..255.

        >>> change = Luminance(1.0, -32, 32)
        >>> change.change_pixels(np.array([[[1, 100, 250]]], dtype=np.uint8), (10.0,)).tolist()
        [[[11, 110, 255]]]
        """
        if not values[0]:
            return patch
        levels = np.clip(np.arange(256) + round(values[0]), 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(patch, levels))
