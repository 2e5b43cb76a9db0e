"""What a detector says of a batch of pairs."""

from collections.abc import Sequence
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


def full_size(mask: Tensor, size: Sequence[int]) -> Tensor:
    """Return coarse masks at the pictures' size, resampled as ``score`` resamples a network's.

    Bilinear with ``align_corners``: the centres of the corner pixels stay in the corners. Masks
    that have that size already stay as they are.

    Args:
        mask: Probabilities, (N, h, w) or (N, 1, h, w).
        size: Height and width of the pictures.

    Returns:
        float32, (N, H, W), 0 to 1.

    >>> import torch
    >>> full_size(torch.tensor([[[0.0, 1.0]]]), (1, 3)).tolist()
    [[[0.0, 0.5, 1.0]]]
    """
    maps = mask.unsqueeze(1) if mask.ndim == 3 else mask
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps[:, 0].float()
    return upsampled(maps, tuple(size)).squeeze(1)


def upsampled(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return maps (N, C, h, w) as float32 (N, C, H, W): bilinear, align_corners (protocol, 5)."""
    return functional.interpolate(maps.float(), size=size, mode="bilinear", align_corners=True)
