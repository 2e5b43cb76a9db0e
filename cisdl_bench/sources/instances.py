"""Instance masks on the canvas."""

import math

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from cisdl_bench.records import Pixels, Region, cut_region
from cisdl_bench.sources.index import Index

_MARGIN = 1  # px around a polygon's corners that its pixels stay within


def instance_region(index: Index, annotation: int, picture: int, size: int) -> Region:
    """Return an instance's mask on the canvas, cut to its box.

    Polygons are scaled to the canvas and rasterised there by pycocotools, each no further than
    its corners reach. Run lengths are decoded at full size, averaged over each canvas pixel's
    area and cut at one half.

    Args:
        index: Index that holds the annotation.
        annotation: Position of the annotation.
        picture: Position of the annotation's picture.
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
        return cut_region((share >= 128).view(np.uint8))
    points = [part.reshape(-1, 2) * (size / width, size / height) for part in parts]
    every = np.concatenate(points) if len(points) > 1 else points[0]
    low, high = every.min(0).tolist(), every.max(0).tolist()
    left, top = (min(max(0, math.floor(v) - _MARGIN), size - 1) for v in low)
    right, bottom = (max(min(size, math.ceil(v) + _MARGIN), 1) for v in high)
    outlines = [(part - (left, top)).ravel().tolist() for part in points]
    runs = coco_mask.frPyObjects(outlines, max(bottom - top, 1), max(right - left, 1))
    drawn: Pixels = coco_mask.decode(coco_mask.merge(runs) if len(runs) > 1 else runs[0])
    return cut_region(np.ascontiguousarray(drawn), (top, left))
