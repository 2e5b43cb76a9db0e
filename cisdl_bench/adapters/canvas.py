"""Bringing pictures and masks of any size to the square canvas of detectors."""

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from cisdl_bench.records import Mask, Pixels


def bicubic(picture: Pixels, size: int) -> Pixels:
    """Return a picture, uint8 (H, W, 3), on a canvas: Pillow's bicubic, anti-aliased."""
    if picture.shape[:2] == (size, size):
        return picture
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC))


def _bilinear(picture: Pixels, size: int) -> Any:
    # In float64 and without anti-aliasing, as the DMAC authors' test code has it.
    return cv2.resize(picture.astype(np.float64), (size, size)).astype(np.float32)


def _half(mask: Mask, size: int) -> Mask:
    if mask.shape == (size, size):
        return mask
    grey = mask.astype(np.uint8) * 255
    return np.asarray(cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA) >= 128)


def _nearest(mask: Mask, size: int) -> Mask:
    grey = mask.astype(np.uint8)
    return np.asarray(cv2.resize(grey, (size, size), interpolation=cv2.INTER_NEAREST) != 0)


class Rule(NamedTuple):
    """How pictures and masks are resized.

    Attributes:
        picture: Function of a picture, uint8 (H, W, 3), and the canvas' side in px; it returns
            ``dtype`` (side, side, 3).
        mask: Function of a mask, bool (H, W), and the canvas' side; it returns bool (side, side).
        dtype: Type of the pictures on the canvas.
    """

    picture: Callable[[Pixels, int], Any]
    mask: Callable[[Mask, int], Mask]
    dtype: Any


#: ``area``: bicubic with anti-aliasing, a mask's pixel is tampered where half of its area is;
#: ``release``: as the DMAC authors' test code does, not rounded.
RULES = {
    "area": Rule(bicubic, _half, np.uint8),
    "release": Rule(_bilinear, _nearest, np.float32),
}
