"""Uniform draws from a range, on a grid where there are steps; the check of such a range."""

import numpy as np

from cisdl_bench.transforms.matrix import Floats
from cisdl_bench.validation import require


def uniform(u: Floats, low: float, high: float, step: float = 0.0) -> Floats:
    """Return numbers uniform between two ends, both included.

    Args:
        u: Uniform numbers from 0 to 1, below 1, of any shape.
        low: Lower end.
        high: Upper end.
        step: Distance of neighbouring values, counted from ``low``; 0: any value.

    >>> uniform(np.array([0.0, 0.34, 0.99]), -1, 1, step=1).tolist()
    [-1.0, 0.0, 1.0]
    """
    drawn = u * (high - low + step)
    if step:
        drawn = np.floor(drawn / step) * step
    return np.asarray(drawn + low)


def reciprocal(values: Floats, u: Floats, share: float) -> Floats:
    """Return values of which a share, chosen by uniform numbers, is replaced by one over them."""
    return np.where(u < share, 1 / values, values) if share else values


class Ranged:
    """What transformations share whose settings are a range.

    Attributes:
        low: Lower end.
        high: Upper end.
        step: Distance of neighbouring values; 0: any value.
    """

    low: float
    high: float
    step: float

    def check(self, where: str) -> None:
        """Refuse a range whose ends are in the wrong order, or that is shorter than its step.

        Args:
            where: Spec and table that an error names.

        Raises:
            SpecError: The range is empty.
        """
        span = self.high - self.low
        require(span >= 0, f"{where}: low", f"at most high ({self.high:g})", self.low)
        require(self.step <= span, f"{where}: step", f"at most {span:g}", self.step)
