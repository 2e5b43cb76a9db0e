"""What a run needs of whoever stores its results; ``cisdl_bench.store`` offers all of it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cisdl_bench.records import Composite, Pixels

Ints = npt.NDArray[np.int64]
Manifest = dict[str, Any]


class Pictures(Protocol):
    """Pictures on the canvas by their id, read from the store."""

    @property
    def ids(self) -> Ints:
        """Ids of all pictures, rising."""
        ...

    def find(self, picture_id: int) -> int | None:
        """Return where a picture stands, None where the store lacks it."""
        ...

    def read_into(self, position: int, target: Pixels) -> None:
        """Fill a contiguous array, uint8 RGB (size, size, 3), with the picture there."""
        ...


class PictureSink(Protocol):
    """Where pictures are written; pickled into workers."""

    @property
    def path(self) -> Path:
        """Its folder."""
        ...

    def manifest(self) -> Manifest:
        """Return its ``shards`` and its ``unusable`` pictures."""
        ...

    def missing(self, ids: Ints, purpose: str) -> list[tuple[str, Ints]]:
        """Return the shards still to be written, so that it holds the given pictures."""
        ...

    def write(self, name: str, ids: Ints, pixels: Pixels) -> Manifest:
        """Write a shard; return its entry."""
        ...

    def add(self, entry: Manifest | None, unusable: dict[int, str], name: str) -> None:
        """Note a finished shard and the pictures that cannot be used."""
        ...

    def check(self, *, thorough: bool) -> list[str]:
        """Take damaged or missing shards off the manifest; return their names."""
        ...

    def retry(self, ids: Sequence[int]) -> None:
        """Forget that pictures could not be used."""
        ...

    def version(self) -> str:
        """Return what changes with the store's content."""
        ...

    def reader(self, version: str) -> Pictures:
        """Return a reader of the store as of a version."""
        ...


class SetSink(Protocol):
    """Where one set is written; pickled into workers."""

    @property
    def path(self) -> Path:
        """Its folder."""
        ...

    @property
    def final(self) -> Path:
        """The folder that the finished set is in."""
        ...

    def begin(self, request: Manifest, *, overwrite: bool) -> "tuple[SetSink, Manifest]":
        """Return where to write, and the manifest to go on with."""
        ...

    def save(self, manifest: Manifest) -> None:
        """Write the manifest."""
        ...

    def write(self, name: str, composites: Sequence[Composite], pictures: Any) -> Manifest:
        """Write a shard; return its entry."""
        ...

    def settle(self, entry: Manifest) -> None:
        """Wait until a shard is on the disk; before the manifest names it."""
        ...

    def finish(
        self,
        manifest: Manifest,
        kinds: Sequence[str],
        size: int,
        skipped: Sequence[tuple[str, int, str]],
    ) -> Manifest:
        """Write the final manifest with the fingerprint, and the list of what was skipped."""
        ...


class Storage(Protocol):
    """A folder of sets and the pictures that they share."""

    @property
    def root(self) -> Path:
        """The folder."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Hold the folder for one run."""
        ...

    def pictures(self, name: str, size: int) -> PictureSink:
        """Return the picture store of that name."""
        ...

    def set(self, name: str) -> SetSink:
        """Return the folder of a set."""
        ...
