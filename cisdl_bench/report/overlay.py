"""Two pictures side by side with what was found in each."""

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.records import Pixels

_HEIGHT = 512  # px of both pictures
_GAP = 12
_TINT = np.array((255, 60, 60), dtype=np.float32)


def overlay(pictures: tuple[Pixels, Pixels], masks: tuple[npt.NDArray[np.float32], ...]) -> Pixels:
    """Return donor left and probe right, tinted by probability, outlined at one half.

    Args:
        pictures: Donor and probe, uint8 RGB, each of its own size.
        masks: Theirs, float32 (H, W), 0 to 1.
    """
    shown = []
    for picture, mask in zip(pictures, masks, strict=True):
        width = max(1, round(picture.shape[1] * _HEIGHT / picture.shape[0]))
        small = cv2.resize(picture, (width, _HEIGHT), interpolation=cv2.INTER_AREA)
        chance = cv2.resize(mask, (width, _HEIGHT), interpolation=cv2.INTER_AREA)[..., None]
        tinted = small * (1 - 0.45 * chance) + _TINT * 0.45 * chance
        drawn = np.ascontiguousarray(tinted.round().astype(np.uint8))
        inside = (chance[..., 0] > 0.5).astype(np.uint8)
        outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, (255, 255, 0), 2)
        shown.append(drawn)
    gap = np.full((_HEIGHT, _GAP, 3), 255, dtype=np.uint8)
    return np.concatenate([shown[0], gap, shown[1]], axis=1)


def png_of(picture: npt.NDArray[np.float32] | Pixels) -> bytes:
    """Return a picture, uint8 RGB (H, W, 3), or a mask, float32 0 to 1 (H, W), as 8-bit PNG."""
    if picture.ndim == 2:
        grey = np.rint(picture * 255).astype(np.uint8)
        return bytes(cv2.imencode(".png", grey)[1].tobytes())
    return bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())
