"""Drawing pictures with their regions outlined, side by side."""

import io
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from cisdl_bench.records import Mask, Pixels

#: Of a true region: Okabe and Ito's sky blue, which the colour-blind see on any photograph.
OUTLINE = (86, 180, 233)
_GAP, _PAPER = 10, (250, 250, 250)


def outlined(picture: Pixels, mask: Mask, side: int) -> Image.Image:
    """Return a square picture at another size, its region outlined over a black halo.

    A mask that is empty or full has no outline.

    Args:
        picture: uint8 RGB, (S, S, 3).
        mask: The region, bool, (S, S).
        side: Side of the result in px.
    """
    size = (side, side)
    tile = np.array(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    if mask.any() and not mask.all():
        grown = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR)
        inside = (grown >= 128).astype(np.uint8)
        lines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(tile, lines, -1, (0, 0, 0), 5)
        cv2.drawContours(tile, lines, -1, OUTLINE, 2)
    return Image.fromarray(tile)


def draw_rows(
    rows: Sequence[Sequence[tuple[Pixels, Mask]]], side: int, columns: int = 1
) -> Image.Image:
    """Return pairs in a grid, both pictures of each close together.

    Args:
        rows: Pairs of a picture and its region, as in ``outlined``.
        side: Side of a picture in px.
        columns: Number of pairs in a row.
    """
    columns = max(1, min(columns, len(rows)))
    step = 2 * side + 2 + _GAP, side + _GAP
    lines = -(-len(rows) // columns)
    sheet = Image.new("RGB", (columns * step[0] - _GAP, lines * step[1] - _GAP), _PAPER)
    for k, pair in enumerate(rows):
        x, y = k % columns * step[0], k // columns * step[1]
        for number, (picture, mask) in enumerate(pair):
            sheet.paste(outlined(picture, mask, side), (x + number * (side + 2), y))
    return sheet


def encode(picture: Image.Image, form: str) -> bytes:
    """Return a picture as the bytes of a file, ``PNG`` or ``JPEG``."""
    buffer = io.BytesIO()
    picture.save(buffer, form, optimize=True)
    return buffer.getvalue()
