"""NIST's reference masks: what is manipulated, what is clean, what is not scored (MediScore).

Regions are drawn by hand, so a band around their borders is left out: a box erodes the region, a
larger picture of it is dilated by another, and what lies between is not scored. The picture's own
edge is no border.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

from cisdl_bench.adapters.formats import format_spec
from cisdl_bench.pairs import Reference
from cisdl_bench.records import Mask, Pixels


class Zones(NamedTuple):
    """Sides in px of the boxes that erode and dilate a region, odd; 0 is none.

    >>> Zones().off
    True
    """

    erode_px: int = 0
    dilate_px: int = 0

    @property
    def off(self) -> bool:
        """Return whether every pixel is scored."""
        return not (self.erode_px or self.dilate_px)


@dataclass(frozen=True)
class NistReference(Reference):
    """A true mask as NIST scores it.

    Attributes:
        band_px: Number of pixels in the no-score zone, grey ones of a donor aside (NIST's BNS).
        grey_px: Number of pixels left out because a donor's reference is neither black nor white
            there (NIST's SNS).
    """

    band_px: int = 0
    grey_px: int = 0


def score_reference(levels: Pixels, zones: Zones, *, donor: bool) -> NistReference | None:
    """Return what a reference says, None where it has no black pixel and is not scored at all.

    Black is manipulated, white is not. Grey of a donor is never scored. Grey of a probe is
    manipulated without zones and clean with them.

    Args:
        levels: Grey levels of the mask, uint8, (H, W, C).
        zones: Sides of the boxes that erode and dilate the region.
        donor: Whether the mask is a donor's.

    Raises:
        ValueError: A side is even.

    >>> line = np.full((1, 7, 1), 255, dtype=np.uint8)
    >>> line[0, 2:5] = 0
    >>> score_reference(line, Zones(1, 3), donor=False).scored[0].astype(int).tolist()
    [1, 0, 1, 1, 1, 0, 1]
    """
    for side in zones:
        if side and side % 2 == 0:
            raise ValueError(f"no-score zones: expected odd sides in px, got {tuple(zones)}.")
    black, white = (levels == 0).all(axis=2), (levels == 255).all(axis=2)
    if not black.any():
        return None
    grey = ~black & ~white if donor else np.zeros_like(black)
    target = ~white & ~grey if zones.off else black
    inner = _moved(black, zones.erode_px, cv2.erode)
    band = _moved(black, zones.dilate_px, cv2.dilate) & ~inner & ~grey
    band_px, grey_px = int(np.count_nonzero(band)), int(np.count_nonzero(grey))
    return NistReference(target, ~band & ~grey, band_px, grey_px)


def _moved(region: Mask, side: int, how: Callable[..., Any]) -> Mask:
    if not side:
        return region
    box = np.ones((side, side), dtype=np.uint8)
    return np.asarray(how(region.astype(np.uint8), box) != 0)


def parse_zones(text: str) -> tuple[int, int]:
    """Return the two sides that ``nist``, ``none`` or a text such as ``15,11`` stands for.

    Raises:
        ValueError: It is none of these.

    >>> parse_zones("nist"), parse_zones("none")
    ((15, 11), (0, 0))
    """
    spec = format_spec("mfc")
    words = {"nist": f"{spec['erode_px']},{spec['dilate_px']}", "none": "0,0"}
    sides = words.get(text, text).split(",")
    if len(sides) != 2 or not all(s.isdecimal() and (s == "0" or int(s) % 2) for s in sides):
        raise ValueError(f"{text!r} is not nist, none, or two odd sides such as 15,11.")
    return int(sides[0]), int(sides[1])
