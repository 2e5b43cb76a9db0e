"""What a matcher is: it gives pairs of points of two pictures."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cisdl_bench.records import Pixels

Points = npt.NDArray[np.float64]


class Matcher(Protocol):
    """Finds points of one picture in another."""

    def match(self, donor: Pixels, probe: Pixels) -> tuple[Points, Points]:
        """Return matched points, float64 (n, 2) each: x and y in px, pixels' centres whole.

        Args:
            donor: Donor picture, uint8 RGB, (H, W, 3).
            probe: Probe picture, uint8 RGB, (H', W', 3).
        """
        ...


class DeviceMatcher(Matcher, Protocol):
    """A matcher that computes with torch on a device."""

    @property
    def identity(self) -> str:
        """Text that changes whenever its matches may: its package's version, its weights."""
        ...

    def to(self, device: str) -> Any:
        """Return the matcher on a torch device, such as ``cuda:0``."""
        ...


def no_matches() -> tuple[Points, Points]:
    """Return what a matcher gives that finds nothing."""
    return np.zeros((0, 2)), np.zeros((0, 2))
