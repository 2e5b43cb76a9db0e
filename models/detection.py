"""What detectors are given and what they say: pairs, and masks with a score."""

from collections.abc import Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cisdl_bench.records import Mask, Pixels

Probability = npt.NDArray[np.float32]
Masks = TypeVar("Masks", Tensor, Probability)


class Detection(NamedTuple, Generic[Masks]):
    """Masks, and the detector's own probability that the pictures share a region.

    ``Detection[Tensor]`` is of a batch, as below; ``Detection[Probability]`` of one pair, numpy
    arrays of shape (H, W) and a float.

    Attributes:
        probe: Probability of each pixel of the probe, float32, (N, H, W), 0 to 1.
        donor: Probability of each pixel of the donor, float32, (N, H, W), 0 to 1.
        score: Probability of each pair, (N,), 0 to 1; None where the detector has no such output.
    """

    probe: Masks
    donor: Masks
    score: Masks | float | None = None


class View(NamedTuple):
    """One pair as a method on numpy arrays sees it.

    Attributes:
        probe: Probe picture, uint8 RGB, (H, W, 3).
        donor: Donor picture, uint8 RGB, (H, W, 3).
        name: The pair's name, such as ``rotation-easy/17``; keys random numbers.
        truth: True masks of probe and donor, bool (H, W); None unless the method asks for them.
    """

    probe: Pixels
    donor: Pixels
    name: str
    truth: tuple[Mask, Mask] | None = None


class PairBatch(NamedTuple):
    """Pairs as every detector sees them.

    Attributes:
        probe: Probe pictures, uint8 RGB, (N, 3, H, W).
        donor: Donor pictures, uint8 RGB, (N, 3, H, W).
        names: Name of each pair, such as ``rotation-easy/17``; networks need none.
        truth: True masks of probes and donors, bool (N, H, W); None unless the detector
            ``sees_truth``.
    """

    probe: Tensor
    donor: Tensor
    names: tuple[str, ...] = ()
    truth: tuple[Tensor, Tensor] | None = None

    @classmethod
    def from_view(cls, view: View) -> "PairBatch":
        """Return one pair of numpy arrays as a batch; the memory is shared where it may be."""
        probe, donor = (
            torch.from_numpy(np.require(picture, requirements="W")).permute(2, 0, 1)[None]
            for picture in (view.probe, view.donor)
        )
        truth = None
        if view.truth is not None:
            probe_mask, donor_mask = (np.require(mask, requirements="W") for mask in view.truth)
            truth = torch.from_numpy(probe_mask)[None], torch.from_numpy(donor_mask)[None]
        return cls(probe, donor, (view.name,), truth)

    def to(self, device: str) -> "PairBatch":
        """Return the batch with its pictures on a device."""
        return self._replace(probe=self.probe.to(device), donor=self.donor.to(device))

    def views(self) -> Iterator[View]:
        """Yield the pairs one by one as numpy arrays."""
        for k, name in enumerate(self.names):
            probe, donor = (
                np.ascontiguousarray(pictures[k].permute(1, 2, 0).numpy())
                for pictures in (self.probe, self.donor)
            )
            truth = None
            if self.truth is not None:
                truth = self.truth[0][k].numpy(), self.truth[1][k].numpy()
            yield View(probe, donor, name, truth)


class PairMethod(Protocol):
    """A method on numpy arrays that looks at one pair at a time; it pickles."""

    @property
    def name(self) -> str:
        """Name that results are filed under."""
        ...

    @property
    def identity(self) -> str:
        """Text that changes whenever its answers may."""
        ...

    @property
    def sees_truth(self) -> bool:
        """Whether it is given the true masks, as the oracle is."""
        ...

    def detect_pair(self, view: View) -> Detection[Probability]:
        """Return the masks of one pair."""
        ...


def empty_detection(view: View, score: float | None = None) -> Detection[Probability]:
    """Return masks of zeros at the sizes of a pair's pictures."""
    probe, donor = (np.zeros(p.shape[:2], dtype=np.float32) for p in (view.probe, view.donor))
    return Detection(probe, donor, score)
