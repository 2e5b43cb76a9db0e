"""Which pairs are seen in which order: keyed by seed and epoch, the same for any machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.seeding import permutation, stream

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Draw(NamedTuple):
    """Some pairs in order and what happens to each, arrays of shape (n,).

    Attributes:
        pairs: Places of the pairs in the data set.
        flip: Whether both pictures of a pair are mirrored.
        swap: Whether the two pictures of a pair change places.
    """

    pairs: Ints
    flip: Bools
    swap: Bools


@dataclass(frozen=True, eq=False)
class EpochOrder:
    """An endless order of pairs, epoch after epoch, each shuffled anew.

    The kinds take turns, so that they have equal shares in every batch; where one has fewer
    pairs than another, it is gone through again until both end together.

    Attributes:
        kinds: Places of the pairs of each kind.
        flip: Share of pairs that are mirrored.
        swap: Share of pairs whose pictures change places.
        seed: Seed of the run.
        name: Purpose of the order; another name gives another order.
    """

    kinds: Sequence[Ints]
    flip: float
    swap: float
    seed: int
    name: str

    @property
    def epoch_pairs(self) -> int:
        """How many pairs an epoch has."""
        return len(self.kinds) * max(len(kind) for kind in self.kinds)

    def take(self, start: int, count: int) -> Draw:
        """Return the pairs at some positions of the order, from ``start`` on."""
        parts = []
        while count:
            epoch, at = divmod(start, self.epoch_pairs)
            n = min(count, self.epoch_pairs - at)
            parts.append([values[at : at + n] for values in _epoch(self, epoch)])
            start, count = start + n, count - n
        return Draw(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@lru_cache(maxsize=4)
def _epoch(order: EpochOrder, epoch: int) -> Draw:
    longest = max(len(kind) for kind in order.kinds)
    columns = []
    for number, kind in enumerate(order.kinds):
        rng = stream(order.seed, order.name, f"kind {number}", index=epoch)
        rounds = [kind[permutation(rng, len(kind))] for _ in range(-(-longest // len(kind)))]
        columns.append(np.concatenate(rounds)[:longest])
    pairs = np.stack(columns, axis=1).ravel()
    chances = stream(order.seed, order.name, "flip and swap", index=epoch).random((2, len(pairs)))
    return Draw(pairs, chances[0] < order.flip, chances[1] < order.swap)
