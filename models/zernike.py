"""Zernike moments of the disc around every pixel: what does not change when the disc is turned."""

import math
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex128]


def radial(order: int, repetition: int, r: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the radial polynomial R_nm at radii 0 to 1 (Ryu et al., IH 2010, equation 2).

    >>> radial(2, 0, np.array([0.0, 1.0])).tolist()
    [-1.0, 1.0]
    """
    m = abs(repetition)
    total = np.zeros_like(r)
    for s in range((order - m) // 2 + 1):
        weight = (-1) ** s * math.factorial(order - s)
        weight //= math.factorial(s)
        weight //= math.factorial((order + m) // 2 - s) * math.factorial((order - m) // 2 - s)
        total += weight * r ** (order - 2 * s)
    return total


def orders_of(highest: int) -> list[tuple[int, int]]:
    """Return (n, m) of the moments up to an order, m not negative, the mean left out.

    Without the mean, a change of luminance changes nothing.

    >>> orders_of(3)
    [(1, 1), (2, 0), (2, 2), (3, 1), (3, 3)]
    """
    return [(n, m) for n in range(1, highest + 1) for m in range(n % 2, n + 1, 2)]


@lru_cache(maxsize=8)
def _kernels(radius: int, highest: int) -> tuple[Complex, ...]:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    r = np.hypot(x, y) / (radius + 0.5)
    angle = np.arctan2(y, x)
    inside = r <= 1
    kernels = []
    for n, m in orders_of(highest):
        polynomial = radial(n, m, r) * np.exp(-1j * m * angle)
        kernel: Complex = np.where(inside, polynomial, 0).astype(np.complex128)
        kernel -= np.where(inside, kernel.sum() / inside.sum(), 0)  # a disc of one grey gives 0
        kernels.append(kernel * (n + 1) / math.pi / (radius + 0.5) ** 2)
    return tuple(kernels)


def zernike_magnitudes(grey: Floats, radius: int, highest: int) -> Floats:
    """Return the magnitudes of the moments of the disc around every pixel.

    Args:
        grey: float32, (H, W); beyond the border it is mirrored.
        radius: Of the disc in px.
        highest: Order of the highest moments.

    Returns:
        float32, (H, W, K), K as ``orders_of``.
    """
    found = []
    for kernel in _kernels(radius, highest):
        parts = [
            cv2.filter2D(
                grey, cv2.CV_32F, np.ascontiguousarray(part), borderType=cv2.BORDER_REFLECT
            )
            for part in (kernel.real, kernel.imag)
        ]
        found.append(cv2.magnitude(parts[0], parts[1]))
    return np.stack(found, axis=2)
