"""A region of one photograph pasted into another, rendered by OpenCV alone."""

import cv2
import numpy as np
from skimage import data

from cisdl_bench.generate.affine import affine_of
from cisdl_bench.models.detection import View
from cisdl_bench.records import Parameters


def planted(luminance: int = 0, **parameters: float) -> tuple[View, tuple[np.ndarray, np.ndarray]]:
    """The astronaut's face and collar pasted into a photograph of coffee, and both masks."""
    donor = cv2.resize(data.astronaut()[:400, 40:440], (256, 256), interpolation=cv2.INTER_AREA)
    probe = cv2.resize(data.coffee()[:, :400], (256, 256), interpolation=cv2.INTER_AREA)
    mask = np.zeros((256, 256), dtype=np.uint8)
    cv2.ellipse(mask, (118, 90), (52, 68), 0, 0, 360, 1, -1)
    affine = affine_of(Parameters(**parameters), 256)
    # Corners to centres.
    x0 = affine.x0 + 0.5 * (affine.xx + affine.xy) - 0.5
    y0 = affine.y0 + 0.5 * (affine.yx + affine.yy) - 0.5
    matrix = np.array([[affine.xx, affine.xy, x0], [affine.yx, affine.yy, y0]])
    moved = cv2.warpAffine(donor, matrix, (256, 256), flags=cv2.INTER_LINEAR)
    there = cv2.warpAffine(mask, matrix, (256, 256), flags=cv2.INTER_NEAREST)
    lit = np.clip(moved.astype(int) + luminance, 0, 255).astype(np.uint8)
    composite = np.where(there[..., None] > 0, lit, probe)
    return View(composite, donor, "planted"), (there > 0, mask > 0)
