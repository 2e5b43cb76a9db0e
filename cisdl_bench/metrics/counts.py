"""Counting pixels: the only thing ever taken from a pair of masks."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


class Counts(NamedTuple):
    """Numbers of pixels, each int64 of the batch's shape; they add up over pairs and machines."""

    tp: Integers
    fp: Integers
    fn: Integers
    tn: Integers


def count(
    pred: npt.NDArray[np.bool_],
    target: npt.NDArray[np.bool_],
    scored: npt.NDArray[np.bool_] | None = None,
) -> Counts:
    """Return the counts of masks against their references.

    Args:
        pred: Predicted masks, bool, (..., H, W); True is tampered.
        target: True masks, bool, same shape as ``pred``.
        scored: Scored pixels, bool, same shape as ``pred``; None scores every pixel.

    Raises:
        ValueError: The shapes differ or the arrays are not bool.

    >>> [int(n) for n in count(np.array([[1, 1, 0, 0]]) > 0, np.array([[1, 0, 1, 0]]) > 0)]
    [1, 1, 1, 1]
    """
    masks = [pred, target] if scored is None else [pred, target, scored]
    if any(mask.dtype != bool or mask.shape != pred.shape for mask in masks):
        given = ", ".join(f"{mask.dtype} {mask.shape}" for mask in masks)
        raise ValueError(f"count: expected bool arrays of one shape, got {given}.")
    shape = pred.shape[:-2]
    size = pred.shape[-2] * pred.shape[-1]
    flat = [np.ascontiguousarray(mask).reshape(-1, size) for mask in masks]
    result = np.empty((4, len(flat[0])), dtype=np.int64)
    both = np.empty(size, dtype=bool)
    for k, (p, t) in enumerate(zip(flat[0], flat[1], strict=True)):
        n = size
        if scored is not None:
            s = flat[2][k]
            p, t, n = p & s, t & s, np.count_nonzero(s)
        tp = np.count_nonzero(np.logical_and(p, t, out=both))
        positive, true = np.count_nonzero(p), np.count_nonzero(t)
        result[:, k] = tp, positive - tp, true - tp, n - positive - true + tp
    return Counts(*result.reshape(4, *shape))
