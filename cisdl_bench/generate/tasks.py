"""The two things that workers do: one shard of pictures, one shard of composites."""

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from cisdl_bench.generate.compose import compose_range
from cisdl_bench.generate.plan import Plan
from cisdl_bench.generate.ports import Ints, Manifest, Pictures, PictureSink, SetSink
from cisdl_bench.generate.render import jpeg_of
from cisdl_bench.records import Pixels
from cisdl_bench.sources.coco import CocoSource
from cisdl_bench.sources.picture import PictureError


@dataclass(frozen=True)
class PictureTask:
    """Decode, resize and store one shard of pictures."""

    source: CocoSource
    sink: PictureSink
    name: str
    ids: Ints
    size: int
    resize: str
    jpeg_quality: int | None = None

    def run(self) -> tuple[Manifest | None, dict[int, str]]:
        """Return the shard's entry, None where no picture can be used, and reasons by id."""
        cv2.setNumThreads(1)
        pixels = _memory(len(self.ids), self.size)
        positions = np.searchsorted(self.source.index.picture_id, self.ids)
        unusable: dict[int, str] = {}
        usable: list[int] = []
        for key, position in zip(self.ids.tolist(), positions.tolist(), strict=True):
            try:
                picture = self.source.load(position, self.size, self.resize)
            except PictureError as error:
                unusable[key] = str(error)
                continue
            if self.jpeg_quality is not None:
                picture = jpeg_of(picture, self.jpeg_quality)
            pixels[len(usable)] = picture
            usable.append(key)
        if not usable:
            return None, unusable
        ids = np.array(usable, dtype=np.int64)
        return self.sink.write(self.name, ids, pixels[: len(usable)]), unusable


@lru_cache(maxsize=1)
def _memory(n: int, size: int) -> Pixels:
    # Kept from shard to shard: touching fresh memory costs more than filling it.
    return np.empty((n, size, size, 3), dtype=np.uint8)


class Canvas:
    """A source's pictures by their position, read from the store."""

    def __init__(self, source: CocoSource, pictures: Pictures, size: int) -> None:
        self._ids = source.index.picture_id
        self._pictures = pictures
        self._memory = np.empty((size, size, 3), dtype=np.uint8)

    def has(self, position: int) -> bool:
        """Say whether the picture could be used."""
        return self._pictures.find(int(self._ids[position])) is not None

    def read(self, position: int) -> Pixels:
        """Return the picture, uint8 RGB (size, size, 3); valid until the next is read."""
        found = self._pictures.find(int(self._ids[position]))
        assert found is not None
        self._pictures.read_into(found, self._memory)
        return self._memory


@dataclass(frozen=True)
class CompositeTask:
    """Compose and store one shard's candidates.

    Attributes:
        version: Of the picture store when the task was made.
        limit: Keep so many composites at most.
    """

    plan: Plan
    sink: SetSink
    pictures: PictureSink
    version: str
    name: str
    start: int
    stop: int
    limit: int | None = None

    def run(self) -> Manifest:
        """Return the shard's entry with its candidates and the reasons of those refused."""
        cv2.setNumThreads(1)
        reader = self.pictures.reader(self.version)
        canvas = Canvas(self.plan.source, reader, self.plan.spec.size)
        composites, refused, stop = compose_range(
            self.plan, self.start, self.stop, canvas, self.limit
        )
        entry = self.sink.write(self.name, composites, reader)
        needed = self.plan.source.index.picture_id[self.plan.pictures(self.start, stop)]
        lacking = np.setdiff1d(needed, reader.ids).tolist()
        found = {"candidates": [self.start, stop], "refused": dict(refused), "lacking": lacking}
        return {**entry, **found}


_ONE_AT_A_TIME = threading.Lock()  # threads of one process share the memory that is kept


def run_task(task: PictureTask | CompositeTask) -> tuple[Any, Any]:
    """Run a task in a worker; return it with its result."""
    with _ONE_AT_A_TIME:
        return task, task.run()
