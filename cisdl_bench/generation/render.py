"""Rendering a transformed region: one fixed-point warp for every set, the same bytes everywhere.

OpenCV's own affine warp rounds differently with different processors' instructions; its remap
with integer coordinates does not (``tests/generation/test_render.py`` holds both facts).
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.records import Box, Mask, Pixels, Region, cut_region
from cisdl_bench.transforms.matrix import Floats, Matrix, inverse, is_affine

_HALF = 128  # of 255: a mask's threshold


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
    samples: tuple[int, int]


def plan_warp(
    matrix: Matrix, box: tuple[float, float, float, float], size: int, margin_px: int = 0
) -> Warp:
    """Return the warp of a region that stays on the canvas; valid until the next one is planned.

    A region that shrinks by a factor f along an axis of the composite gets ceil(1 / f) samples a
    pixel there, averaged afterwards: an area filter on top of bilinear interpolation.

    Args:
        matrix: Map from the donor's canvas to the composite's, in plain numbers.
        box: Left, top, right and bottom of the transformed region, px.
        size: Side of the canvas in px.
        margin_px: Width of the border around the box that is rendered too.
    """
    left, top = (max(0, math.floor(low) - margin_px) for low in box[:2])
    right, bottom = (min(size, math.ceil(high) + margin_px) for high in box[2:])
    target = Box(top, left, bottom - top, right - left)
    back = inverse(matrix)
    step_x, step_y = _steps(back, target)
    samples = _samples(step_x), _samples(step_y)
    if max(samples) > 2:
        samples = (max(samples),) * 2  # OpenCV averages squares faster
    x = left + (np.arange(target.width * samples[0]) + 0.5) / samples[0]
    y = top + (np.arange(target.height * samples[1]) + 0.5) / samples[1]
    if not is_affine(back):
        return Warp(target, *_projected(back, x, y), samples)
    (xx, xy, x0), (yx, yy, y0), _ = back
    u = _Sum(xx * x + (x0 + _TO_CUTOUT), xy * y)
    v = _Sum(yx * x + (y0 + _TO_CUTOUT), yy * y)
    maps = _turned(u, v) if xy or yx else _upright(u, v)
    return Warp(target, *maps, samples)


#: Half a pixel to the pixel's centre, less the cutout's margin of one.
_TO_CUTOUT = 0.5


def _steps(back: Matrix, box: Box) -> tuple[float, float]:
    """Return how far one composite pixel along x, and one along y, moves in the donor, at most.

    The largest of a map's steps over a box are at its corners.
    """
    (xx, xy, x0), (yx, yy, y0), (wx, wy, w0) = back
    if is_affine(back):
        return math.hypot(xx, yx), math.hypot(xy, yy)
    along_x, along_y = [], []
    for x in (box.left, box.left + box.width):
        for y in (box.top, box.top + box.height):
            w = wx * x + wy * y + w0
            u, v = (xx * x + xy * y + x0) / w, (yx * x + yy * y + y0) / w
            along_x.append(math.hypot((xx - u * wx) / w, (yx - v * wx) / w))
            along_y.append(math.hypot((xy - u * wy) / w, (yy - v * wy) / w))
    return max(along_x), max(along_y)


def _samples(step: float) -> int:
    return max(1, math.ceil(step - 1e-9))


class _Sum(NamedTuple):
    """A coordinate in the donor of each sample: that of its column plus that of its row."""

    columns: Floats
    rows: Floats


Maps = tuple[npt.NDArray[np.int16], npt.NDArray[np.uint16]]


def _projected(back: Matrix, x: Floats, y: Floats) -> Maps:
    """Return the maps of samples at columns x and rows y under a map with a perspective."""
    (xx, xy, x0), (yx, yy, y0), (wx, wy, w0) = back
    rows = y[:, None]
    w = wx * x + (wy * rows + w0)
    u = (xx * x + (xy * rows + x0)) / w + _TO_CUTOUT
    v = (yx * x + (yy * rows + y0)) / w + _TO_CUTOUT
    maps = cv2.convertMaps(u.astype(np.float32), v.astype(np.float32), cv2.CV_16SC2)
    return maps  # type: ignore[return-value]


def _turned(u: _Sum, v: _Sum) -> Maps:
    shape = len(u.rows), len(u.columns)
    x, y = (
        np.add(
            each.columns.astype(np.float32),
            each.rows.astype(np.float32)[:, None],
            out=_memory(which, np.float32, shape),
        )
        for which, each in (("x", u), ("y", v))
    )
    whole = _memory("whole", np.int16, (*shape, 2))
    tap = _memory("tap", np.uint16, shape)
    return cv2.convertMaps(x, y, cv2.CV_16SC2, whole, tap)  # type: ignore[return-value]


def _upright(u: _Sum, v: _Sum) -> Maps:
    """Return what ``_turned`` does where one row and one column say all of it."""
    shape = len(v.rows), len(u.columns)
    x = u.columns.astype(np.float32)[None, :]
    y = v.columns[:1].astype(np.float32) + v.rows.astype(np.float32)[:, None]
    columns = cv2.convertMaps(x, np.zeros_like(x), cv2.CV_16SC2)
    rows = cv2.convertMaps(np.zeros_like(y), y, cv2.CV_16SC2)
    # Both halves of 32 bits at once: the other half is 0 in each.
    both = np.bitwise_or(
        columns[0].view(np.int32)[..., 0],
        rows[0].view(np.int32)[..., 0],
        out=_memory("whole", np.int32, shape),
    )
    tap = np.bitwise_or(columns[1], rows[1], out=_memory("tap", np.uint16, shape))
    return both.view(np.int16).reshape(*shape, 2), tap


def _memory(which: str, dtype: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return memory that is used again and again: touching fresh memory costs more than filling."""
    n = math.prod(shape)
    return _pool(which, dtype, n.bit_length())[:n].reshape(shape)


@lru_cache(maxsize=128)
def _pool(which: str, dtype: Any, bits: int) -> npt.NDArray[Any]:
    return np.empty(1 << bits, dtype=dtype)


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


def cut_out(frame: Pixels, region: Region) -> None:
    """Put an instance's mask into a framed donor's alpha, in place."""
    inner = frame[1:-1, 1:-1]
    cv2.insertChannel(_clear(len(inner)), inner, 3)
    cv2.insertChannel(region.bits * np.uint8(255), inner[region.box.slices], 3)


@lru_cache(maxsize=2)
def _clear(size: int) -> Pixels:
    return np.zeros((size, size), dtype=np.uint8)


def render(
    cutout: Pixels, warp: Warp, change: Callable[[Pixels], Pixels] = lambda patch: patch
) -> tuple[Region, Pixels]:
    """Return the pasted region and its pixels: mask and picture resampled alike, in one go.

    Args:
        cutout: uint8 RGBA, (size + 2, size + 2, 4), from ``framed`` and ``cut_out``.
        warp: Warp from ``plan_warp``.
        change: Function of the resampled pixels, uint8 RGB (H, W, 3).

    Returns:
        The region where the resampled mask is at least one half, and its box's pixels, uint8
        RGB, 0 outside the region.
    """
    warped = resample(cutout, warp, cv2.BORDER_CONSTANT)
    region = cut_region(inside_of(warped).view(np.uint8), (warp.box.top, warp.box.left))
    if not region.bits.size:
        return region, np.zeros((0, 0, 3), dtype=np.uint8)
    patch = cv2.cvtColor(_within(warped, warp.box, region.box), cv2.COLOR_RGBA2RGB)
    patch = change(np.asarray(patch))
    bits = region.bits.view(np.uint8)
    return region, np.asarray(cv2.bitwise_and(patch, patch, mask=bits))


def resample(cutout: Pixels, warp: Warp, border: int) -> Pixels:
    """Return the cutout under a warp, uint8 RGBA of the warp's box.

    Args:
        cutout: uint8 RGBA picture that the warp's coordinates are of.
        warp: Warp from ``plan_warp``.
        border: OpenCV's rule for samples outside the cutout.
    """
    warped = cv2.remap(cutout, warp.whole, warp.tap, cv2.INTER_LINEAR, borderMode=border)
    if warp.samples != (1, 1):
        size = (warp.box.width, warp.box.height)
        # Half-way between two samples, linear interpolation is their average, and faster.
        square = warp.samples[0] == warp.samples[1]
        how = cv2.INTER_AREA if square else cv2.INTER_LINEAR_EXACT
        warped = cv2.resize(warped, size, interpolation=how)
    return np.asarray(warped, dtype=np.uint8)


def inside_of(warped: Pixels) -> Mask:
    """Return where the mask in the alpha of a warped cutout is at least one half, bool (H, W)."""
    return np.asarray(cv2.extractChannel(warped, 3) >= _HALF)


def _within(warped: Pixels, box: Box, part: Box) -> Pixels:
    top, left = part.top - box.top, part.left - box.left
    return warped[top : top + part.height, left : left + part.width]
