"""``colour_transfer``: the region takes the mean and spread of the colours it is put onto."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2
import numpy as np
from msgspec import Meta

from cisdl_bench.transforms.base import Layer, Parameter, Share, Transformation
from cisdl_bench.transforms.matrix import Floats
from cisdl_bench.transforms.ranges import Ranged, uniform


@dataclass(frozen=True)
class ColourTransfer(Ranged, Transformation):
    """Reinhard et al. (IEEE CG&A 2001), equations 10 and 11, in CIELAB, by some share.

    The background's statistics are those of the pixels that the region hides.

    Attributes:
        low: Smallest share of the way to the background's colours.
        high: Largest share of the way, at most 1.
        step: Distance of neighbouring shares.
    """

    name: ClassVar[str] = "colour_transfer"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "colour_transfer", 0.0, 0.0, 1.0, "colour transfer, share", "colour transfer {:.0%}"
        ),
    )
    numbers: ClassVar[int] = 1

    low: Share
    high: Share
    step: Annotated[float, Meta(ge=0)] = 0.0

    def sample(self, u: Floats, size: int) -> Floats:
        """Return the share, float64 (1, ...)."""
        return uniform(u, self.low, self.high, self.step)

    def blend(self, layer: Layer, values: tuple[float, ...]) -> Layer:
        """Return the layer with its colours changed.

        >>> pixels = np.full((2, 2, 3), 90, dtype=np.uint8)
        >>> mask = np.ones((2, 2), dtype=bool)
        >>> layer = Layer(pixels, mask, mask * np.uint8(255), pixels + np.uint8(40))
        >>> ColourTransfer(1.0, 0, 1).blend(layer, (1.0,)).pixels[0, 0].tolist()
        [130, 130, 130]
        """
        if not values[0] or not layer.inside.any():
            return layer
        # Of uint8, OpenCV's CIELAB is computed in whole numbers, the same on all processors.
        own, other = (cv2.cvtColor(p, cv2.COLOR_RGB2LAB) for p in (layer.pixels, layer.under))
        levels = np.arange(256)
        tables = np.empty((256, 1, 3), dtype=np.uint8)
        for channel in range(3):
            mean, deviation = _moments(own[..., channel][layer.inside])
            to_mean, to_deviation = _moments(other[..., channel][layer.inside])
            factor = to_deviation / deviation if deviation else 1.0
            moved = (levels - mean) * factor + to_mean
            mixed = levels + values[0] * (moved - levels)
            tables[:, 0, channel] = np.clip(np.rint(mixed), 0, 255)
        changed = cv2.cvtColor(cv2.LUT(own, tables), cv2.COLOR_LAB2RGB)
        return layer._replace(pixels=np.asarray(changed, dtype=np.uint8))


def _moments(levels: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation, from whole sums, so that they are exact."""
    counts = np.bincount(levels, minlength=256)
    n = int(counts.sum())
    total = int(counts @ np.arange(256))
    squares = int(counts @ np.arange(256) ** 2)
    return total / n, float(np.sqrt((squares * n - total * total) / (n * n)))
