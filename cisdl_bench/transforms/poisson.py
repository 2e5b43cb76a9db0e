"""``poisson``: the region keeps its gradients and takes the background's level at its border."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cisdl_bench.transforms.base import Layer, Parameter, Transformation
from cisdl_bench.transforms.matrix import Floats
from cisdl_bench.transforms.membrane import fill_smoothly


@dataclass(frozen=True)
class Poisson(Transformation):
    """Seamless cloning (Perez, Gangnet and Blake, SIGGRAPH 2003, equations 2 to 7).

    Where the region ends at the canvas' edge there is no border to agree with.
    """

    name: ClassVar[str] = "poisson"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("poisson", 0.0, 0.0, 1.0, "border blended by Poisson's equation", "Poisson"),
    )
    numbers: ClassVar[int] = 1
    margin_px: ClassVar[int] = 1

    def sample(self, u: Floats, size: int) -> Floats:
        """Return 1, applied, float64 (1, ...)."""
        return np.ones_like(u)

    def blend(self, layer: Layer, values: tuple[float, ...]) -> Layer:
        """Return the layer with the membrane added that takes it to the background's level.

        >>> flat = np.full((3, 3, 3), 100, dtype=np.uint8)
        >>> inside = np.zeros((3, 3), dtype=bool)
        >>> inside[1, 1] = True
        >>> layer = Layer(flat, inside, inside * np.uint8(255), flat + np.uint8(9))
        >>> Poisson(1.0).blend(layer, (1.0,)).pixels[1, 1].tolist()
        [109, 109, 109]
        """
        if not values[0] or layer.inside.all():
            return layer
        difference = layer.under.astype(np.float32) - layer.pixels
        membrane = fill_smoothly(difference, ~layer.inside)
        level = np.clip(np.rint(layer.pixels + membrane), 0, 255).astype(np.uint8)
        return layer._replace(pixels=level)
