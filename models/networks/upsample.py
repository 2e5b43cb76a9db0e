"""Bringing coarse masks to the pictures' size, as ``score`` does for every network."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def resize_masks(masks: Tensor, size: Sequence[int]) -> Tensor:
    """Return coarse masks at the pictures' size; those of that size stay as they are.

    Bilinear with ``align_corners``: the centres of the corner pixels stay in the corners.

    Args:
        masks: Coarse masks, probabilities, (N, h, w) or (N, 1, h, w).
        size: Height and width of the pictures.

    Returns:
        float32, (N, H, W), 0 to 1.

    >>> import torch
    >>> resize_masks(torch.tensor([[[0.0, 1.0]]]), (1, 3)).tolist()
    [[[0.0, 0.5, 1.0]]]
    """
    maps = masks.unsqueeze(1) if masks.ndim == 3 else masks
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps[:, 0].float()
    return upsample(maps, tuple(size)).squeeze(1)


def upsample(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return maps (N, C, h, w) as float32 (N, C, H, W): bilinear, ``align_corners``."""
    return functional.interpolate(maps.float(), size=size, mode="bilinear", align_corners=True)
