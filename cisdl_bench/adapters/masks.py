"""Reading anybody's mask: which of its pixels are tampered."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from cisdl_bench.adapters.listed import Boxes
from cisdl_bench.adapters.picture import LevelsError, reading
from cisdl_bench.errors import SourceError
from cisdl_bench.records import Mask, Pixels

#: Name to what says which pixels of uint8 (H, W, C) are tampered.
#: ``white``: at least 128 in a channel; ``255``: that alone, in the blue channel, as the DMAC
#: authors read it; ``not-white``: below 255 in a channel (NIST).
RULES: dict[str, Callable[[Pixels], Mask]] = {
    "white": lambda levels: np.asarray((levels >= 128).any(axis=2)),
    "255": lambda levels: np.asarray(levels[..., -1] == 255),
    "not-white": lambda levels: np.asarray((levels < 255).any(axis=2)),
}
#: Rules of masks whose 8 bits are taken as they are, as NIST's scorer does.
LITERAL = ("not-white",)


def read_levels(path: Path, *, literal: bool = False) -> Pixels:
    """Return a mask's grey levels, uint8 (H, W, C), C 1 or 3; transparency is left out.

    Whatever a mask's numbers are, its brightest value is 255 here: masks of 0 and 1 alone, of 16
    and 32 bits, and of real numbers from 0 to 1 are scaled to 0 to 255.

    Args:
        path: File of the mask.
        literal: Whether 8 bits are taken as they are, also where they are 0 and 1 alone, and the
            upper eight of 16, as NIST does.

    Raises:
        SourceError: The file is missing, cut short, no picture that Pillow reads, or its values
            are of no range that can be told.
    """
    with reading(path, "a mask"), Image.open(path) as opened:
        picture = ImageOps.exif_transpose(opened) or opened
        if picture.mode.startswith("I") or picture.mode == "F":
            return _scale_numbers(np.asarray(picture), literal)[..., None]
        if picture.mode == "1":
            return np.asarray(picture.convert("L"))[..., None]
        levels = (
            np.asarray(picture)[..., None]
            if picture.mode == "L"
            else np.asarray(picture.convert("RGB"))
        )
        if levels.max(initial=0) == 1 and not literal:  # a mask of numbers, not of greys
            return levels * np.uint8(255)
        return levels


def _scale_numbers(values: Any, literal: bool) -> Pixels:
    """Return numbers of more than 8 bits as grey levels, uint8 of the same shape.

    Raises:
        LevelsError: Their range cannot be told.
    """
    numbers = values.astype(np.float64)
    if np.isnan(numbers).any():
        raise LevelsError("values that are NaN")
    low, high = float(numbers.min(initial=0)), float(numbers.max(initial=0))
    real = values.dtype.kind == "f"
    if literal and not real and low >= 0 and high <= 0xFFFF:
        return np.asarray(values.astype(np.int64) >> 8).astype(np.uint8)
    tops = [1, 255, 0xFFFF] if not real else [1, 255]
    top = next((top for top in tops if high <= top), None)
    told = top == 1 or high == top or (top == 0xFFFF and not real)
    if low < 0 or top is None or not told:
        raise LevelsError(f"values from {low:g} to {high:g}, of {values.dtype}")
    # Rounded half down, so that a level is above 127 just where the value is above one half.
    return np.asarray(np.ceil(numbers / top * 255 - 0.5)).astype(np.uint8)


def read_mask(path: Path | Boxes, rule: str, shape: tuple[int, ...] | None) -> Mask:
    """Return the tampered pixels of a mask, bool (H, W).

    Args:
        path: File of the mask, or its rectangles.
        rule: Rule that says which pixels are tampered, one of ``RULES``.
        shape: Height and width of the mask's picture; None where they are not known.

    Raises:
        SourceError: The mask cannot be read, is of another size than its picture, or holds grey
            levels of which none is tampered, so that its range cannot be told.
    """
    if isinstance(path, Boxes):
        if shape is None:
            raise SourceError(f"{path.where}: the picture's size is not known. Give its picture.")
        return path.draw(shape)
    levels = read_levels(path, literal=rule in LITERAL)
    if shape is not None and levels.shape[:2] != shape[:2]:
        raise SourceError.expected(
            path,
            f"a mask of {shape[1]} x {shape[0]} px, as its picture",
            f"{levels.shape[1]} x {levels.shape[0]}",
            "Give the mask of that picture, at its size",
        )
    tampered = RULES[rule](levels)
    if rule not in LITERAL and levels.any() and not tampered.any():
        raise SourceError.expected(
            path,
            "255 (or 1 beside 0 alone) where it is tampered",
            f"levels up to {levels.max()}",
            "Save it with 0 and 255",
        )
    return tampered
