"""What a detector says of a batch of pairs."""

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional


class Detection(NamedTuple):
    """Masks and, where the detector has one, its own probability that the pairs share a region.

    Attributes:
        probe: float32, (N, H, W), probability of each pixel of the probe.
        donor: float32, (N, H, W).
        score: float32, (N,), 0 to 1; None where the detector has no such output.
    """

    probe: Tensor
    donor: Tensor
    score: Tensor | None = None


def upsampled(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return maps (N, C, h, w) as float32 (N, C, H, W): bilinear, align_corners (protocol, 5)."""
    return functional.interpolate(maps.float(), size=size, mode="bilinear", align_corners=True)
