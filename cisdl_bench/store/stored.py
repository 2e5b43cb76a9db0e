"""What sets of both kinds have in common: a folder with a manifest and a picture store."""

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cisdl_bench.pairs import Pairs
from cisdl_bench.store.flat import Column, OpenFiles, open_shard
from cisdl_bench.store.pictures import PictureReader
from cisdl_bench.store.sets import Manifest, read_manifest

Check = Callable[[npt.NDArray[Any], int, int, int, Path], None]


class StoredPairs(Pairs):
    """Pairs of a set on disk.

    Reading is safe after fork and in threads; pickled, a set carries its path alone and opens
    again where it is read.

    Attributes:
        path: Folder of the set.
        manifest: Content of the set's manifest.
        rows: Table of all rows of the set's shards.
        digests: Hash of each row's content, uint8, (n, 32).
    """

    stored = True
    rows: npt.NDArray[Any]
    digests: npt.NDArray[np.uint8]

    def __init__(self, path: Path, shape: Any) -> None:
        self.path = path
        self.manifest: Manifest = read_manifest(path, shape=shape)
        self.name = path.absolute().name
        self.fingerprint = str(self.manifest["fingerprint"])
        self._files = OpenFiles()
        self._shards: list[tuple[Path, int]] = []

    def __reduce__(self) -> tuple[Any, ...]:
        # Workers may have been started in another folder.
        return type(self), (self.path.absolute(),)

    def _open_shards(
        self, columns: dict[str, Column], check: Check
    ) -> list[tuple[npt.NDArray[Any], ...]]:
        """Open the set's shards; return the small datasets of each, the table of rows first."""
        opened_shards = []
        for entry in self.manifest["shards"]:
            shard = self.path / entry["name"]
            opened = open_shard(shard, "bytes", columns)
            check(opened.values[0], opened.length, self.size, entry["rows"], shard)
            self._shards.append((shard, opened.offset))
            opened_shards.append(opened.values)
        counts = [len(values[0]) for values in opened_shards]
        self._shard = np.repeat(np.arange(len(counts)), counts)
        return opened_shards

    def _read_bytes(self, row: int, length: int) -> npt.NDArray[np.uint8]:
        """Return the bytes that a row has in its shard."""
        shard, offset = self._shards[self._shard[row]]
        return self._files.read(shard, offset + int(self.rows["start"][row]), length)

    @cached_property
    def pictures(self) -> PictureReader:
        """The picture store that the set is built on."""
        return PictureReader((self.path / self.manifest["pictures"]).resolve())

    @property
    def origin(self) -> dict[str, Any]:
        """The set's folder."""
        return {"path": str(self.path.absolute())}

    @abstractmethod
    def find_problems(self, advance: Callable[[int], None]) -> list[str]:
        """Return what is wrong with the content of the rows, a line each.

        Args:
            advance: Called with the number of pairs that were checked.
        """

    @abstractmethod
    def hash_content(self) -> str:
        """Return the fingerprint that follows from ``digests``."""
