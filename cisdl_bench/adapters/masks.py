"""Reading anybody's mask: which of its pixels are tampered."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cisdl_bench.adapters.picture import reading
from cisdl_bench.errors import SourceError
from cisdl_bench.records import Mask, Pixels


def _white(levels: Pixels) -> Mask:
    if levels.max(initial=0) == 1:  # 0 and 1 alone: a mask of numbers, not of greys
        return np.asarray((levels == 1).any(axis=2))
    return np.asarray((levels >= 128).any(axis=2))


#: Name to what says which pixels of uint8 (H, W, C) are tampered.
#: ``white``: at least 128 in a channel, or 1 where there are 0 and 1 alone; ``255``: that alone, in
#: the blue channel, as the DMAC authors read it; ``not-white``: below 255 in a channel (NIST).
RULES: dict[str, Callable[[Pixels], Mask]] = {
    "white": _white,
    "255": lambda levels: np.asarray(levels[..., -1] == 255),
    "not-white": lambda levels: np.asarray((levels < 255).any(axis=2)),
}


def read_levels(path: Path) -> Pixels:
    """Return a mask's grey levels, uint8 (H, W, C), C 1 or 3; transparency is left out.

    Raises:
        SourceError: The file is missing, cut short, or no picture that Pillow reads.
    """
    with reading(path, "a mask"), Image.open(path) as opened:
        picture = ImageOps.exif_transpose(opened) or opened
        if picture.mode.startswith("I"):
            grey = np.clip(np.asarray(picture) >> 8, 0, 255).astype(np.uint8)
            return np.asarray(grey[..., None])
        if picture.mode in ("1", "L"):
            return np.asarray(picture.convert("L"))[..., None]
        return np.asarray(picture.convert("RGB"))


def read_mask(path: Path, rule: str, shape: tuple[int, ...]) -> Mask:
    """Return the tampered pixels of a mask, bool (H, W).

    Args:
        path: The mask's file.
        rule: One of ``RULES``.
        shape: Height and width of its picture.

    Raises:
        SourceError: The mask cannot be read, or is of another size than its picture.
    """
    levels = read_levels(path)
    if levels.shape[:2] != shape[:2]:
        raise SourceError.expected(
            path,
            f"a mask of {shape[1]} x {shape[0]} px, as its picture",
            f"{levels.shape[1]} x {levels.shape[0]}",
            "Give the mask of that picture, at its size",
        )
    return RULES[rule](levels)
