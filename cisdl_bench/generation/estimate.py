"""What a run would write and how long it would take, measured on a few of its composites."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cisdl_bench.generation.compose import compose_range
from cisdl_bench.generation.jobs import SetJob
from cisdl_bench.records import Pixels, count_pairs
from cisdl_bench.sources.coco import CocoSource
from cisdl_bench.sources.picture import PictureError

_SAMPLE = 40
_ROW_BYTES = 300  # a row of the table with its digest, and its share of the manifest


@dataclass(frozen=True)
class Estimate:
    """One set's pairs, bytes of its shards, and seconds of one worker to compose it."""

    folder: str
    pairs: int
    set_bytes: int
    compose_s: float


@dataclass(frozen=True)
class Total:
    """What a whole run takes; pictures that the store already holds are counted again.

    Attributes:
        sets: Estimate of each set.
        pictures: Number of pictures that will be decoded.
        picture_bytes: Bytes of these pictures in the store.
        seconds: Wall time with the given number of workers.
    """

    sets: tuple[Estimate, ...]
    pictures: int
    picture_bytes: int
    seconds: float

    @property
    def bytes(self) -> int:
        """All that is written."""
        return self.picture_bytes + sum(each.set_bytes for each in self.sets)


class _Sample:
    """Decodes pictures as they are asked for, and keeps the time it took apart."""

    def __init__(self, source: CocoSource, size: int, resize: str) -> None:
        self._load = partial(source.load, size=size, resize=resize)
        self._kept: dict[int, Pixels | None] = {}
        self.seconds = 0.0

    def _get(self, position: int) -> Pixels | None:
        if position not in self._kept:
            begun = time.perf_counter()
            try:
                self._kept[position] = self._load(position)
            except PictureError:
                self._kept[position] = None
            self.seconds += time.perf_counter() - begun
        return self._kept[position]

    def has(self, position: int) -> bool:
        """Say whether the picture can be used."""
        return self._get(position) is not None

    def read(self, position: int) -> Pixels:
        """Return the picture."""
        picture = self._get(position)
        assert picture is not None
        return picture

    @property
    def per_picture(self) -> float:
        """Seconds to decode and resize one picture."""
        return self.seconds / max(1, len(self._kept))


def estimate(set_jobs: Sequence[SetJob], jobs: int) -> Total:
    """Return what making the sets would take, from some composites of each, not written."""
    sets: list[Estimate] = []
    stores: dict[tuple[str, int], list[Any]] = {}
    for job in set_jobs:
        plan, spec = job.plan, job.plan.spec
        sample = _Sample(plan.source, spec.size, spec.resize)
        begun = time.perf_counter()
        stop = min(_SAMPLE, plan.total)
        composites, _, _ = compose_range(plan, 0, stop, sample)
        spent = time.perf_counter() - begun - sample.seconds
        rate = len(composites) / stop if stop else 0.0
        wanted = min(job.composites, int(plan.total * rate))
        size = sum(
            c.patch.nbytes + (c.probe_mask.bits.size + c.donor_mask.bits.size) // 8
            for c in composites
        ) / max(1, len(composites))
        candidates = min(plan.total, int(wanted / rate * 1.1) + 1) if rate else 0
        seconds = spent / max(1, stop) * candidates
        pairs = count_pairs(wanted, spec.kinds)
        sets.append(Estimate(job.folder, pairs, int(wanted * (size + _ROW_BYTES)), seconds))
        store = stores.setdefault(job.picture_store, [spec.size, sample.per_picture, []])
        store[2].append(plan.pictures(0, candidates))
    pictures = picture_bytes = 0
    seconds = sum(each.compose_s for each in sets)
    for size, per_picture, needed in stores.values():
        n = len(np.unique(np.concatenate(needed)))
        pictures += n
        picture_bytes += n * size * size * 3
        seconds += n * per_picture
    return Total(tuple(sets), pictures, picture_bytes, seconds / jobs)
