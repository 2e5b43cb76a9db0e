"""The smoothest surface through known pixels: what seamless cloning adds to a region."""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from cisdl_bench.records import Mask

Surface = npt.NDArray[np.float32]

_CYCLES = 11
_SWEEPS = 2  # before and after a coarser level's correction
_DAMPING = 0.8


def fill_smoothly(values: Surface, known: Mask) -> Surface:
    """Return values whose unknown ones are each the mean of their neighbours (Laplace's equation).

    At the array's edge a neighbour that is missing does not count. Solved by multigrid cycles of
    damped Jacobi sweeps (Briggs, Henson, McCormick: A Multigrid Tutorial, chapters 2 and 3) in
    float32 additions and multiplications of a fixed order, so that the bits are the same on every
    machine.

    Args:
        values: Whole numbers, float32 (H, W, C); those of unknown pixels are not looked at.
        known: Pixels whose values are known, bool (H, W), at least one.

    >>> row = np.array([[[0], [9], [9], [9], [8]]], dtype=np.float32)
    >>> known = np.array([[True, False, False, False, True]])
    >>> fill_smoothly(row, known)[0, :, 0].round(1).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    level = _Level(~known)
    # Sums of whole numbers are exact in any order.
    mean = values[known].mean(axis=0, dtype=np.float64)
    start = np.where(known[..., None], values, mean).astype(np.float32)
    surface = _framed(start.transpose(2, 0, 1))
    wanted = np.zeros_like(surface[_INNER])
    for _ in range(_CYCLES):
        _cycle(level, surface, wanted)
    return np.ascontiguousarray(surface[_INNER].transpose(1, 2, 0))


_INNER = (slice(None), slice(1, -1), slice(1, -1))


def _framed(planes: Surface) -> Surface:
    """Return planes (C, H, W) with one pixel of 0 around them."""
    return np.pad(planes, ((0, 0), (1, 1), (1, 1)))


class _Level:
    """One resolution: which pixels are unknown, and their neighbours.

    Args:
        unknown: bool (H, W).
    """

    def __init__(self, unknown: Mask) -> None:
        self.unknown = unknown
        self.degree = np.full(unknown.shape, 4, dtype=np.float32)
        degree = self.degree
        for edge in (degree[0], degree[-1], degree[:, 0], degree[:, -1]):
            edge -= 1
        self.step = unknown * np.float32(_DAMPING) / np.maximum(degree, 1)

    def residual(self, surface: Surface, wanted: Surface) -> Surface:
        """Return by how much each pixel disagrees with its neighbours, (C, H, W)."""
        total = wanted + surface[:, :-2, 1:-1]
        total += surface[:, 2:, 1:-1]
        total += surface[:, 1:-1, :-2]
        total += surface[:, 1:-1, 2:]
        total -= self.degree * surface[_INNER]
        return np.asarray(total)

    def relax(self, surface: Surface, wanted: Surface) -> None:
        """Make each unknown pixel agree better with its neighbours."""
        for _ in range(_SWEEPS):
            surface[_INNER] += self.residual(surface, wanted) * self.step

    @cached_property
    def coarser(self) -> "_Level | None":
        """The level of half the resolution, unknown where all of a block is; None at the end."""
        even = np.pad(self.unknown, self.to_even, constant_values=True)
        blocks = even[::2, ::2] & even[1::2, ::2] & even[::2, 1::2] & even[1::2, 1::2]
        return _Level(blocks) if blocks.any() and blocks.size > 1 else None

    @property
    def to_even(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows and columns that lack to even numbers, as ``np.pad`` takes them."""
        height, width = self.unknown.shape
        return (0, height % 2), (0, width % 2)


def _cycle(level: _Level, surface: Surface, wanted: Surface) -> None:
    level.relax(surface, wanted)
    coarser = level.coarser
    if coarser is not None:
        lacking = level.residual(surface, wanted) * level.unknown
        lacking = np.pad(lacking, ((0, 0), *level.to_even))
        blocks = lacking[:, ::2, ::2] + lacking[:, 1::2, ::2]
        blocks += lacking[:, ::2, 1::2] + lacking[:, 1::2, 1::2]
        blocks *= coarser.unknown
        correction = _framed(np.zeros_like(blocks))
        _cycle(coarser, correction, blocks)
        rows = _doubled(correction[_INNER])
        fine = _doubled(rows.swapaxes(1, 2)).swapaxes(1, 2)
        height, width = level.unknown.shape
        surface[_INNER] += fine[:, :height, :width] * level.unknown
    level.relax(surface, wanted)


def _doubled(planes: Surface) -> Surface:
    """Return planes (C, 2 H, W) at the quarters between rows, linearly; at the ends, the row's."""
    near = planes * np.float32(0.75)
    far = np.pad(planes, ((0, 0), (1, 1), (0, 0)), mode="edge") * np.float32(0.25)
    channels, height, width = planes.shape
    doubled = np.empty((channels, 2 * height, width), dtype=np.float32)
    doubled[:, ::2] = near + far[:, :-2]
    doubled[:, 1::2] = near + far[:, 2:]
    return doubled
