"""What a worker makes: one shard of pictures, or one shard of composites."""

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from cisdl_bench.generation.compose import compose_range
from cisdl_bench.generation.plan import Ints, Plan
from cisdl_bench.records import Pixels
from cisdl_bench.sources.coco import CocoSource
from cisdl_bench.sources.picture import PictureError
from cisdl_bench.specs import SetSpec
from cisdl_bench.store.pictures import PictureFolder, PictureReader
from cisdl_bench.store.sets import Manifest, SetFolder
from cisdl_bench.transforms.jpeg import saved_as_jpeg


@dataclass(frozen=True)
class PictureShard:
    """Pictures to be decoded, resized and stored together.

    Attributes:
        source: Split that the pictures come from.
        spec: Canvas, resizing and JPEG quality.
        folder: Picture store.
        name: File's name in the store.
        ids: Ids of the pictures, in order.
    """

    source: CocoSource
    spec: SetSpec
    folder: PictureFolder
    name: str
    ids: Ints

    def make(self) -> tuple[Manifest | None, dict[int, str]]:
        """Return the shard's entry, None where no picture can be used, and reasons by id."""
        spec = self.spec
        pixels = _memory(len(self.ids), spec.size)
        positions = np.searchsorted(self.source.index.picture_id, self.ids)
        unusable: dict[int, str] = {}
        usable: list[int] = []
        for picture_id, position in zip(self.ids.tolist(), positions.tolist(), strict=True):
            try:
                picture = self.source.load(position, spec.size, spec.resize)
            except PictureError as error:
                unusable[picture_id] = str(error)
                continue
            if spec.jpeg_quality is not None:
                picture = saved_as_jpeg(picture, spec.jpeg_quality)
            pixels[len(usable)] = picture
            usable.append(picture_id)
        if not usable:
            return None, unusable
        ids = np.array(usable, dtype=np.int64)
        return self.folder.write(self.name, ids, pixels[: len(usable)]), unusable


@lru_cache(maxsize=1)
def _memory(n: int, size: int) -> Pixels:
    # Kept from shard to shard: touching fresh memory costs more than filling it.
    return np.empty((n, size, size, 3), dtype=np.uint8)


class StoredCanvas:
    """A source's pictures by their position, read from the store.

    Args:
        source: Split whose index has the positions.
        pictures: Picture store.
        size: Side of the canvas in px.
    """

    def __init__(self, source: CocoSource, pictures: PictureReader, size: int) -> None:
        self._ids = source.index.picture_id
        self._pictures = pictures
        self._memory = np.empty((size, size, 3), dtype=np.uint8)

    def has(self, position: int) -> bool:
        """Say whether the picture could be used."""
        return self._pictures.find(int(self._ids[position])) is not None

    def read(self, position: int) -> Pixels:
        """Return the picture, uint8 RGB (size, size, 3); valid until the next is read."""
        stored = self._pictures.find(int(self._ids[position]))
        assert stored is not None
        self._pictures.read_into(stored, self._memory)
        return self._memory


@dataclass(frozen=True)
class CompositeShard:
    """Candidates whose composites are stored together.

    Attributes:
        plan: The set's candidates.
        folder: The set's folder.
        pictures: Picture store that the set is built on.
        version: Version of the picture store when the shard was planned.
        name: File's name in the set's folder.
        start: Number of the first candidate.
        stop: Number one behind the last candidate.
        limit: Number of composites at most; None: all of the range.
    """

    plan: Plan
    folder: SetFolder
    pictures: PictureFolder
    version: str
    name: str
    start: int
    stop: int
    limit: int | None = None

    def make(self) -> Manifest:
        """Return the shard's entry with its candidates and the reasons of those refused."""
        plan = self.plan
        reader = self.pictures.reader(self.version)
        canvas = StoredCanvas(plan.source, reader, plan.spec.size)
        composites, refused, stop = compose_range(plan, self.start, self.stop, canvas, self.limit)
        entry = self.folder.write(self.name, composites, reader)
        needed = plan.source.index.picture_id[plan.pictures(self.start, stop)]
        lacking = np.setdiff1d(needed, reader.ids).tolist()
        return {
            **entry,
            "candidates": [self.start, stop],
            "refused": dict(refused),
            "lacking": lacking,
        }


_ONE_AT_A_TIME = threading.Lock()  # threads of one process share the memory that is kept


def make_shard(shard: PictureShard | CompositeShard) -> tuple[Any, Any]:
    """Make a shard in a worker; return it with its entry."""
    with _ONE_AT_A_TIME:
        cv2.setNumThreads(1)
        return shard, shard.make()
