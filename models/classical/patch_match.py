"""PatchMatch: for each pixel of one picture the most alike of another, by guesses that spread.

All pixels look at once, with numpy. Most of the time goes into gathering features of candidates,
so that three things keep candidates from being looked at in full: one that a pixel had from the
same neighbour before is left out; the features are turned to their principal axes, so that a few
of them tell most candidates to be too far; and what is gathered together lies together.
"""

from collections import defaultdict
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.seeding import stream

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.signedinteger]
Bytes = npt.NDArray[np.void]
_FIRST = 4  # features that are looked at first: 16 bytes, which numpy gathers at once
_MOST = 0.6  # share of new candidates above which all are looked at first
_CACHED_PX = 2**18  # pictures up to this area keep their draws, which are those of all their size


class Draws(NamedTuple):
    """Random numbers of a search.

    Attributes:
        places: Column and row that each pixel looks at first, (2, H, W).
        jumps: In each pass, offsets in px to look at around the best so far, (2, H, W) each.
    """

    places: Ints
    jumps: list[list[Ints]]


def patch_match(first: Floats, second: Floats, iterations: int) -> tuple[Floats, Floats, Floats]:
    """Return the offsets (x, y) that lead each pixel of one picture to its like in the other.

    The third field is the squared distance of their features.

    All pixels look at once: at what each of four neighbours found, as it is and continued
    linearly from the neighbour behind it, then at places drawn around their own, nearer and
    nearer. Draws are keyed by the pictures' size.

    Args:
        first: Features of one picture, float32, (H, W, K).
        second: Features of the other picture, float32, (H', W', K).
        iterations: Number of passes over the picture.
    """
    (height, width), (rows, columns) = first.shape[:2], second.shape[:2]
    draw = _draw_once if height * width <= _CACHED_PX else _draw
    draws = draw(height, width, rows, columns, iterations)
    search = _Search(first, second, draws)
    for turn, jumps in enumerate(draws.jumps):
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            for step in (1, 4) if turn < iterations // 2 else (1,):
                search.look_at_neighbours(step * dx, step * dy)
        for jump in jumps:
            search.look_at(search.offsets + jump)
    x, y = search.offsets.astype(np.float32)
    return x, y, search.distance


class _Search:
    """The best offsets so far.

    Attributes:
        offsets: Columns and rows from each pixel to its best match, (2, H, W).
        distance: Squared distance of the features of each pixel and its match, (H, W).
    """

    def __init__(self, first: Floats, second: Floats, draws: Draws) -> None:
        height, width = first.shape[:2]
        rows, self._columns = second.shape[:2]
        kind = draws.places.dtype
        self._own, self._other = _pack(first, second)
        self._at = np.mgrid[:height, :width][::-1].astype(kind)
        self._last = np.array([self._columns - 1, rows - 1], dtype=kind)[:, None, None]
        self.offsets = draws.places - self._at
        self.distance: Floats = np.full((height, width), np.inf, dtype=np.float32)
        self._best = np.full(height * width, -1, dtype=np.int32)
        self._seen: dict[tuple[int, int, str], npt.NDArray[np.int32]] = defaultdict(
            lambda: np.full_like(self._best, -1)
        )
        self.look_at(self.offsets)

    def look_at_neighbours(self, dx: int, dy: int) -> None:
        """Try what the neighbours (dx, dy) before each pixel found."""
        near = _moved(self.offsets, dx, dy)
        for way, offsets in (
            ("as it is", near),
            ("continued", 2 * near - _moved(near, dx, dy)),
        ):
            self.look_at(offsets, self._seen[dx, dy, way])

    def look_at(self, offsets: Ints, seen: npt.NDArray[np.int32] | None = None) -> None:
        """Try an offset for each pixel, and keep it where it is better.

        Args:
            offsets: Columns and rows to the candidate of each pixel, (2, H, W).
            seen: Candidate of each pixel that was tried last in this way; it gets the new ones.
        """
        to = np.clip(offsets + self._at, 0, self._last)
        places = np.multiply(to[1], self._columns, dtype=np.int32)
        places += to[0]
        candidates = places.ravel()
        best = self.distance.ravel()
        # A candidate that was tried before lost, or what is best now beat it.
        new = candidates != self._best
        if seen is not None:
            new &= candidates != seen
            seen[:] = candidates
        if np.count_nonzero(new) > _MOST * len(new):  # picking them out would take longer
            total = _squared_distances(self._own[0], self._other[0].take(candidates))
            pixels = np.flatnonzero(new & (total < best))
            total = total.take(pixels)
        else:
            pixels = np.flatnonzero(new)
            own = self._own[0].take(pixels)
            total = _squared_distances(own, self._other[0].take(candidates.take(pixels)))
            nearer = np.flatnonzero(total < best.take(pixels))
            pixels, total = pixels.take(nearer), total.take(nearer)
        own = self._own[1].take(pixels)
        total += _squared_distances(own, self._other[1].take(candidates.take(pixels)))
        nearer = np.flatnonzero(total < best.take(pixels))
        pixels = pixels.take(nearer)
        best[pixels] = total.take(nearer)
        self._best[pixels] = candidates.take(pixels)
        for field, place, at in zip(self.offsets, to, self._at, strict=True):
            field.ravel()[pixels] = place.ravel().take(pixels) - at.ravel().take(pixels)


def _pack(first: Floats, second: Floats) -> tuple[list[Bytes], list[Bytes]]:
    """Return both pictures' features along their principal axes, the first four and the others.

    Each pixel's are one item of some bytes, padded with zeros to a power of two.
    """
    depth = first.shape[2]
    features = [picture.reshape(-1, depth) for picture in (first, second)]
    sample = np.concatenate([f[::7] for f in features]).astype(np.float64)
    sample -= sample.mean(axis=0)
    axes = np.linalg.eigh(sample.T @ sample).eigenvectors[:, ::-1].astype(np.float32)
    others = 1 << max(0, depth - _FIRST - 1).bit_length()
    packed = []
    for f in features:
        turned = np.zeros((len(f), _FIRST + others), dtype=np.float32)
        turned[:, :depth] = f @ axes
        parts = turned[:, :_FIRST], turned[:, _FIRST:]
        packed.append([np.ascontiguousarray(p).view(f"V{4 * p.shape[1]}").ravel() for p in parts])
    return packed[0], packed[1]


def _squared_distances(a: Bytes, b: Bytes) -> Floats:
    """Return the squared distances of packed features, (n,); ``b`` is overwritten.

    They are summed in pairs: a product of matrices has an order that depends on its threads.
    """
    squares = b.view(np.float32)
    squares -= a.view(np.float32)
    squares *= squares
    while len(squares) > len(a):
        squares = squares[0::2] + squares[1::2]
    return squares


def _draw(height: int, width: int, rows: int, columns: int, iterations: int) -> Draws:
    """Return the draws of a search, of pictures (height, width) and (rows, columns)."""
    rng = stream(0, "dense-field", index=height * width)
    longest = max(height, width, rows, columns)
    # Candidates lie up to four sides away before they are clipped.
    kind = np.int16 if longest < 2**13 else np.int32
    places = [(rng.random((height, width)) * side).astype(kind) for side in (columns, rows)]
    jumps: list[list[Ints]] = []
    for _ in range(iterations):
        jumps.append([])
        reach = max(rows, columns) // 2
        while reach >= 1:
            jump = (rng.random((2, height, width)) * 2 - 1) * reach
            jumps[-1].append(np.rint(jump).astype(kind))
            reach //= 4
    return Draws(np.stack(places), jumps)


_draw_once = lru_cache(maxsize=1)(_draw)


def _moved(values: Ints, dx: int, dy: int) -> Ints:
    """Return what lies (dx, dy) before each place, (2, H, W); at the border, the border's."""
    moved = np.roll(values, dx or dy, axis=2 if dx else 1)
    if dx:
        border, line = (
            (slice(dx), values[:, :, :1]) if dx > 0 else (slice(dx, None), values[:, :, -1:])
        )
        moved[:, :, border] = line
    else:
        border, line = (slice(dy), values[:, :1]) if dy > 0 else (slice(dy, None), values[:, -1:])
        moved[:, border] = line
    return moved
