"""Rendering a transformed region: one fixed-point warp for every set, the same bytes everywhere.

OpenCV's own affine warp rounds differently with different processors' instructions; its remap
with integer coordinates does not (``tests/generate/test_render.py`` holds both facts).
"""

import math
from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from cisdl_bench.generate.affine import inverse
from cisdl_bench.generate.outline import Placement
from cisdl_bench.records import Box, Pixels, Region, region_of

_HALF = 128  # of 255: a mask's threshold
Floats = npt.NDArray[np.float64]


class Warp(NamedTuple):
    """Where each sample of the target box lies in the donor.

    Attributes:
        box: The target's bounding box on the composite's canvas.
        whole: int16, (H, W, 2): x and y of the cutout's pixel up and left of each sample.
        tap: uint16, (H, W): which of 32 by 32 sub-pixel positions it is.
        samples: How many samples a pixel has in x, and in y; above 1 where the region shrinks.
    """

    box: Box
    whole: npt.NDArray[np.int16]
    tap: npt.NDArray[np.uint16]
    samples: int


def plan_warp(placement: Placement, size: int) -> Warp:
    """Return the warp of a region that stays on the canvas; valid until the next one is planned.

    A region that shrinks by a factor f along an axis of the composite gets ceil(1 / f) by as
    many samples a pixel, averaged afterwards: an area filter on top of bilinear interpolation.
    """
    (x0, y0), (x1, y1) = placement.low, placement.high
    left, top = max(0, math.floor(x0)), max(0, math.floor(y0))
    right, bottom = min(size, math.ceil(x1)), min(size, math.ceil(y1))
    box = Box(top, left, bottom - top, right - left)
    back = inverse(placement.affine)
    # One composite pixel along x moves this far in the donor; along y likewise.
    step_x, step_y = math.hypot(back.xx, back.yx), math.hypot(back.xy, back.yy)
    # Squares: OpenCV averages 2 by 2 faster than 2 by 1.
    samples = max(1, math.ceil(max(step_x, step_y) - 1e-9))
    x = left + (np.arange(box.width * samples) + 0.5) / samples
    y = top + (np.arange(box.height * samples) + 0.5) / samples
    # Half a pixel to the pixel's centre, less the cutout's margin of one.
    u = _coordinates(0, back.xx * x + (back.x0 + 0.5), back.xy * y)
    v = _coordinates(1, back.yx * x + (back.y0 + 0.5), back.yy * y)
    whole, tap = cv2.convertMaps(u, v, cv2.CV_16SC2)
    return Warp(box, whole, tap, samples)  # type: ignore[arg-type]


def _coordinates(which: int, columns: Floats, rows: Floats) -> npt.NDArray[np.float32]:
    """Return the sum for each row and column in memory that is used again and again."""
    n = len(columns) * len(rows)
    sums = _memory(which, n.bit_length())[:n].reshape(len(rows), len(columns))
    return np.add(columns.astype(np.float32), rows.astype(np.float32)[:, None], out=sums)


@lru_cache(maxsize=64)
def _memory(which: int, bits: int) -> npt.NDArray[np.float32]:
    return np.empty(1 << bits, dtype=np.float32)


def framed(picture: Pixels) -> Pixels:
    """Return a donor as RGBA with a margin of one pixel repeated and clear, for ``cut_out``.

    Valid until the next picture is framed.
    """
    frame = _frame(len(picture))
    cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA, dst=frame[1:-1, 1:-1])
    rgb = frame[..., :3]
    rgb[0], rgb[-1] = rgb[1], rgb[-2]
    rgb[:, 0], rgb[:, -1] = rgb[:, 1], rgb[:, -2]
    return frame


@lru_cache(maxsize=2)
def _frame(size: int) -> Pixels:
    # Kept from donor to donor: touching fresh memory costs more than filling it.
    return np.zeros((size + 2, size + 2, 4), dtype=np.uint8)


def cut_out(frame: Pixels, mask: Pixels) -> None:
    """Put an instance's mask, uint8 0 or 1, into a framed donor's alpha, in place."""
    cv2.insertChannel(mask * np.uint8(255), frame[1:-1, 1:-1], 3)


def render(cutout: Pixels, warp: Warp, luminance: float) -> tuple[Region, Pixels]:
    """Return the pasted region and its pixels: mask and picture resampled alike, in one go.

    Args:
        cutout: uint8 RGBA, (size + 2, size + 2, 4), from ``framed`` and ``cut_out``.
        warp: From ``plan_warp``.
        luminance: Grey levels added to every channel, clipped to 0..255.

    Returns:
        The region where the resampled mask is at least one half, and its box's pixels, uint8
        RGB, 0 outside the region.
    """
    drawn = np.asarray(cv2.remap(cutout, warp.whole, warp.tap, cv2.INTER_LINEAR), dtype=np.uint8)
    if warp.samples > 1:
        size = (warp.box.width, warp.box.height)
        averaged = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
        drawn = np.asarray(averaged, dtype=np.uint8)
    inside = (cv2.extractChannel(drawn, 3) >= _HALF).view(np.uint8)
    region = region_of(inside, (warp.box.top, warp.box.left))
    if not region.bits.size:
        return region, np.zeros((0, 0, 3), dtype=np.uint8)
    patch = cv2.cvtColor(_within(drawn, warp.box, region.box), cv2.COLOR_RGBA2RGB)
    if luminance:
        levels = np.clip(np.arange(256) + round(luminance), 0, 255).astype(np.uint8)
        patch = cv2.LUT(patch, levels)
    bits = region.bits.view(np.uint8)
    return region, np.asarray(cv2.bitwise_and(patch, patch, mask=bits))


def _within(drawn: Pixels, box: Box, part: Box) -> Pixels:
    top, left = part.top - box.top, part.left - box.left
    return drawn[top : top + part.height, left : left + part.width]


def jpeg_of(picture: Pixels, quality: int) -> Pixels:
    """Return a picture, uint8 RGB, after it was saved as JPEG and read again."""
    memory = BytesIO()
    Image.fromarray(picture).save(memory, "jpeg", quality=quality)
    with Image.open(memory) as read:
        return np.asarray(read)
