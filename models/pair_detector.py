"""Detectors that look at one pair at a time with numpy, and the records they exchange."""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from cisdl_bench.records import Mask, Pixels

Probability = npt.NDArray[np.float32]


class View(NamedTuple):
    """A pair as a detector sees it.

    Attributes:
        probe: uint8 RGB, (H, W, 3).
        donor: uint8 RGB, (H, W, 3).
        name: The pair's name, such as ``rotation-easy/17``; keys what is random.
        truth: Masks of probe and donor, bool (H, W); None for all that do not ask for it.
    """

    probe: Pixels
    donor: Pixels
    name: str
    truth: tuple[Mask, Mask] | None = None


class Masks(NamedTuple):
    """What a detector says of a pair.

    Attributes:
        probe: float32, (H, W), 0 to 1.
        donor: float32, (H, W), 0 to 1.
        score: Its own probability that the pair shares a region; None where it has none.
    """

    probe: Probability
    donor: Probability
    score: float | None = None


def nothing(view: View, score: float | None = None) -> Masks:
    """Return empty masks of a pair's sizes."""
    probe, donor = (np.zeros(p.shape[:2], dtype=np.float32) for p in (view.probe, view.donor))
    return Masks(probe, donor, score)


class PairDetector(Protocol):
    """Something that looks at pairs one by one; it pickles, for worker processes."""

    @property
    def name(self) -> str:
        """What results are filed under."""
        ...

    @property
    def identity(self) -> str:
        """Changes whenever its answers may."""
        ...

    @property
    def sees_truth(self) -> bool:
        """Whether it is given the true masks, as the oracle is."""
        ...

    def look(self, view: View) -> Masks:
        """Return the masks of a pair."""
        ...
