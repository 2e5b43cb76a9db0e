"""Instance masks on the canvas."""

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from cisdl_bench.records import Pixels
from cisdl_bench.sources.index import Index


def instance_mask(index: Index, annotation: int, picture: int, size: int) -> Pixels:
    """Return an instance's mask on the canvas, uint8 0 or 1, shape (size, size).

    Polygons are scaled to the canvas and rasterised there by pycocotools. Run lengths are
    decoded at full size, averaged over each canvas pixel's area and cut at one half.

    Args:
        index: The index that holds the annotation.
        annotation: Position of the annotation.
        picture: Position of its picture.
        size: Side of the canvas in px.
    """
    width = int(index.picture_width[picture])
    height = int(index.picture_height[picture])
    parts = index.parts(annotation)
    if index.annotation_is_rle[annotation]:
        runs = parts[0][2:].astype(np.int64)
        inside = np.arange(len(runs)) % 2 == 1
        full = np.repeat(np.where(inside, np.uint8(255), np.uint8(0)), runs)
        full = np.ascontiguousarray(full.reshape(width, height).T)
        share = cv2.resize(full, (size, size), interpolation=cv2.INTER_AREA)
        return (share >= 128).astype(np.uint8)
    scale = np.array([size / width, size / height])
    outlines = [(part.reshape(-1, 2) * scale).ravel().tolist() for part in parts]
    runs = coco_mask.frPyObjects(outlines, size, size)
    by_column = coco_mask.decode(coco_mask.merge(runs) if len(runs) > 1 else runs[0])
    return np.asarray(cv2.transpose(by_column.T))
