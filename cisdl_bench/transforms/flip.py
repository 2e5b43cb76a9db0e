"""``flip``: the region is mirrored about the canvas centre."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from cisdl_bench.transforms.base import Parameter, Transformation
from cisdl_bench.transforms.matrix import AFFINE, Entry, Floats, Matrix


@dataclass(frozen=True)
class Flip(Transformation):
    """Left and right, or top and bottom, change places: what the paper's Fig. 7 leaves open.

    Attributes:
        axis: ``horizontal`` exchanges left and right, ``vertical`` top and bottom; ``either``
            draws one of the two, one half each.
    """

    name: ClassVar[str] = "flip"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("flip_x", 0.0, 0.0, 1.0, "left and right exchanged", "mirrored left to right"),
        Parameter("flip_y", 0.0, 0.0, 1.0, "top and bottom exchanged", "mirrored top to bottom"),
    )
    numbers: ClassVar[int] = 1

    axis: Literal["horizontal", "vertical", "either"] = "either"

    def sample(self, u: Floats, size: int) -> Floats:
        """Return which axes are mirrored, 0 or 1 each, float64 (2, ...).

        >>> Flip(1.0).sample(np.array([[0.2, 0.7]]), 256).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        share = {"horizontal": 1.0, "vertical": 0.0, "either": 0.5}[self.axis]
        horizontal = (u[0] < share).astype(np.float64)
        return np.stack((horizontal, 1 - horizontal))

    def matrix(self, values: tuple[Entry, ...], size: int) -> Matrix:
        """Return the mirroring."""
        return (1 - 2 * values[0], 0.0, 0.0), (0.0, 1 - 2 * values[1], 0.0), AFFINE
