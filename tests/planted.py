"""A region of one photograph pasted into another, rendered by OpenCV alone."""

import cv2
import numpy as np
from placing import matrix_by
from skimage import data

from cisdl_bench.models.detection import View


def planted(luminance: int = 0, **parameters: float) -> tuple[View, tuple[np.ndarray, np.ndarray]]:
    """The astronaut's face and collar pasted into a photograph of coffee, and both masks."""
    donor = cv2.resize(data.astronaut()[:400, 40:440], (256, 256), interpolation=cv2.INTER_AREA)
    probe = cv2.resize(data.coffee()[:, :400], (256, 256), interpolation=cv2.INTER_AREA)
    mask = np.zeros((256, 256), dtype=np.uint8)
    cv2.ellipse(mask, (118, 90), (52, 68), 0, 0, 360, 1, -1)
    matrix = np.array(matrix_by(256, **parameters)[:2])
    matrix[:, 2] += 0.5 * matrix[:, :2].sum(axis=1) - 0.5  # corners to centres
    moved = cv2.warpAffine(donor, matrix, (256, 256), flags=cv2.INTER_LINEAR)
    there = cv2.warpAffine(mask, matrix, (256, 256), flags=cv2.INTER_NEAREST)
    lit = np.clip(moved.astype(int) + luminance, 0, 255).astype(np.uint8)
    composite = np.where(there[..., None] > 0, lit, probe)
    return View(composite, donor, "planted"), (there > 0, mask > 0)
