"""Scores of a pair from its two probability masks (protocol, section 6)."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def mean_inside(mask: npt.NDArray[np.float32], threshold: float = 0.5) -> Floats:
    """Return the mean probability of the pixels above the threshold, s_i of section IV-D.

    0 where there is none.

    Args:
        mask: Probabilities of the pixels, 0 to 1, (..., H, W).
        threshold: Probability above which a pixel is called tampered.

    Returns:
        float64, shape (...).

    >>> float(mean_inside(np.float32([[0.75, 0.25], [1.0, 0.5]])))
    0.875
    """
    inside = mask > threshold
    total = np.sum(mask, axis=(-2, -1), where=inside, dtype=np.float64)
    n = inside.sum(axis=(-2, -1))
    result: Floats = np.divide(total, n, out=np.zeros_like(total), where=n > 0)
    return result


def share_inside(mask: npt.NDArray[np.float32], threshold: float = 0.5) -> Floats:
    """Return the share of pixels above the threshold, (..., H, W) to (...).

    >>> float(share_inside(np.float32([[0.75, 0.25], [1.0, 0.5]])))
    0.5
    """
    result: Floats = (mask > threshold).mean(axis=(-2, -1))
    return result


def pair_score(of_probe: npt.ArrayLike, of_donor: npt.ArrayLike) -> Floats:
    """Return the mean of both masks' scores.

    Of ``mean_inside``: the paper's mask-based tampered probability, (s_a + s_b) / 2. Of
    ``share_inside``: DMVN-loc's score, which calls a pair positive above 0.

    >>> float(pair_score(0.5, 1.0))
    0.75
    """
    result: Floats = (np.asarray(of_probe, dtype=np.float64) + np.asarray(of_donor)) / 2
    return result
