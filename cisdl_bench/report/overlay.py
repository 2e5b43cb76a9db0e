"""Two pictures side by side with what was found in each, a row a method."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cisdl_bench.models.detection import Probability
from cisdl_bench.records import Pixels
from cisdl_bench.report.palette import FOUND, HALO, rgb

_HEIGHT = 512  # px of both pictures
_SEVERAL = 320  # px of them where there are several rows
_GAP, _CAPTION = 12, 22
_FOUND = rgb(FOUND)
_TINT = np.array(_FOUND, dtype=np.float32)


def overlay(
    pictures: tuple[Pixels, Pixels], masks: tuple[Probability, ...], height: int = _HEIGHT
) -> Pixels:
    """Return probe left and donor right, tinted by probability, outlined at one half, in orange.

    Args:
        pictures: Probe and donor, uint8 RGB, each of its own size.
        masks: Masks of probe and donor, float32 (H, W), 0 to 1.
        height: Height of both pictures in px.
    """
    shown = []
    for picture, mask in zip(pictures, masks, strict=True):
        width = max(1, round(picture.shape[1] * height / picture.shape[0]))
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        chance = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)[..., None]
        tinted = small * (1 - 0.45 * chance) + _TINT * 0.45 * chance
        image = np.ascontiguousarray(tinted.round().astype(np.uint8))
        inside = (chance[..., 0] > 0.5).astype(np.uint8)
        outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for ink, width in ((rgb(HALO), 4), (_FOUND, 2)):
            cv2.drawContours(image, outlines, -1, ink, width)
        shown.append(image)
    gap = np.full((height, _GAP, 3), 255, dtype=np.uint8)
    return np.concatenate([shown[0], gap, shown[1]], axis=1)


def overlays(
    pictures: tuple[Pixels, Pixels], answers: Sequence[tuple[str, tuple[Probability, ...]]]
) -> Pixels:
    """Return one sheet with an ``overlay`` for each answer, its caption above it.

    Args:
        pictures: Probe and donor, uint8 RGB, each of its own size.
        answers: Caption and both masks of each row.
    """
    rows = []
    for text, masks in answers:
        image = overlay(pictures, masks, _SEVERAL)
        head = Image.new("RGB", (image.shape[1], _CAPTION), "white")
        pen = ImageDraw.Draw(head)
        pen.text((3, 3), text, fill="black", font=ImageFont.load_default(14))
        rows += [np.asarray(head), image]
    return np.concatenate(rows)


def encode_png(picture: npt.NDArray[np.float32] | Pixels) -> bytes:
    """Return a picture, uint8 RGB (H, W, 3), or a mask, float32 0 to 1 (H, W), as 8-bit PNG."""
    if picture.ndim == 2:
        grey = np.rint(picture * 255).astype(np.uint8)
        return bytes(cv2.imencode(".png", grey)[1].tobytes())
    return bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())
