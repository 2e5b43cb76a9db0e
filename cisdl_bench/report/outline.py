"""A region's outline as the path of an SVG."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.records import Mask

_MOST_PIECES = 40
_SLACK = 0.6  # px that an outline may leave the region's edge by


def trace_outline(mask: Mask) -> tuple[str, int]:
    """Return a region's outline as ``d`` of an SVG path in px, and how many pieces are left out.

    Of a region in very many pieces the largest ones are drawn.

    Args:
        mask: Region, bool (H, W).

    >>> square = np.zeros((9, 9), dtype=bool)
    >>> square[2:6, 3:8] = True
    >>> trace_outline(square)
    ('M3.5 2.5l0 3 4 0 0-3z', 0)
    """
    kind = cv2.CHAIN_APPROX_SIMPLE
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, kind)
    pieces = sorted(contours, key=cv2.contourArea, reverse=True)
    shown = [cv2.approxPolyDP(piece, _SLACK, True)[:, 0] for piece in pieces[:_MOST_PIECES]]
    return "".join(map(_write_path, shown)), len(pieces) - len(shown)


def _write_path(points: npt.NDArray[Any]) -> str:
    start = f"M{points[0, 0]}.5 {points[0, 1]}.5"
    steps = [f"{x}{'' if y < 0 else ' '}{y}" for x, y in np.diff(points, axis=0).tolist()]
    text = " ".join(steps).replace(" -", "-")
    return f"{start}l{text}z" if steps else f"{start}h.5z"
