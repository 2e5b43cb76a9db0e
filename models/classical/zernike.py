"""Zernike moments of the disc around every pixel: what does not change when the disc is turned."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cisdl_bench.models.classical.filters import apply_filters

Floats = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex128]
_FINE = 8  # samples of a kernel along each side of a pixel


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


def moment_orders(highest: int) -> list[tuple[int, int]]:
    """Return (n, m) of the moments up to an order, m not negative, the mean left out.

    Without the mean, a change of luminance changes nothing.

    >>> moment_orders(3)
    [(1, 1), (2, 0), (2, 2), (3, 1), (3, 3)]
    """
    return [(n, m) for n in range(1, highest + 1) for m in range(n % 2, n + 1, 2)]


@lru_cache(maxsize=8)
def _kernels(radius: int, highest: int) -> Floats:
    """Return the kernels of the moments' real parts, then of their imaginary parts.

    Each is averaged over every pixel's area: a disc has no corners.
    """
    side = 2 * radius + 1
    at = (np.arange(side * _FINE) + 0.5) / _FINE - side / 2
    y, x = np.meshgrid(at, at, indexing="ij")
    r = np.hypot(x, y) / (radius + 0.5)
    angle = np.arctan2(y, x)
    area = _averaged(np.where(r <= 1, 1.0, 0.0).astype(np.complex128))
    kernels = []
    for n, m in moment_orders(highest):
        polynomial = radial(n, m, r) * np.exp(-1j * m * angle)
        kernel = _averaged(np.where(r <= 1, polynomial, 0).astype(np.complex128))
        kernel -= area * (kernel.sum() / area.sum())  # a disc of one grey gives 0
        kernels.append(kernel * (n + 1) / math.pi / (radius + 0.5) ** 2)
    parts = [kernel.real for kernel in kernels] + [kernel.imag for kernel in kernels]
    return np.stack(parts).astype(np.float32)


def _averaged(fine: Complex) -> Complex:
    side = len(fine) // _FINE
    return np.asarray(fine.reshape(side, _FINE, side, _FINE).mean(axis=(1, 3)))


def zernike_magnitudes(grey: Floats, radius: int, highest: int, step: int = 1) -> Floats:
    """Return the magnitudes of the moments of the discs that lie within a picture.

    Args:
        grey: Grey picture, float32, (H, W).
        radius: Radius of a disc in px.
        highest: Order of the highest moments.
        step: Distance of discs in px; the first one's centre is ``radius`` px from both borders.

    Returns:
        float32, (rows, columns, K), K as ``moment_orders``; rows as of ``apply_filters``.
    """
    real, imaginary = np.split(apply_filters(grey, _kernels(radius, highest), step), 2)
    squares = real * real + imaginary * imaginary
    return np.ascontiguousarray(np.sqrt(squares).transpose(1, 2, 0))
