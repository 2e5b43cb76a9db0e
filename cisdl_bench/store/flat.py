"""Reading byte ranges of contiguous HDF5 datasets past HDF5, safe after fork and in threads."""

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import StoreError

MOST_OPEN = 256

Bytes = npt.NDArray[np.uint8]


class OpenFiles:
    """File descriptors by path, the least recently used closed first; pickles as empty."""

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._most = most
        self._open: OrderedDict[Path, int] = OrderedDict()

    def __reduce__(self) -> tuple[Any, ...]:
        return OpenFiles, (self._most,)

    def descriptor(self, path: Path) -> int:
        """Return a descriptor to read a file by offset; it may be closed by the next call."""
        handle = self._open.get(path)
        if handle is not None:
            self._open.move_to_end(path)
            return handle
        try:
            handle = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise StoreError.expected(
                path, "a shard", error.strerror, "Generate the set again"
            ) from error
        self._open[path] = handle
        if len(self._open) > self._most:
            os.close(self._open.popitem(last=False)[1])
        return handle

    def read_into(self, path: Path, offset: int, target: Bytes) -> None:
        """Fill a contiguous uint8 array from a file.

        Raises:
            StoreError: The file is missing or ends too early.
        """
        got = os.preadv(self.descriptor(path), [target.data.cast("B")], offset)
        if got != target.nbytes:
            raise StoreError.expected(
                path,
                f"{target.nbytes} bytes at {offset}",
                f"{got}, the shard was cut short",
                "Generate the set again",
            )

    def read(self, path: Path, offset: int, length: int) -> Bytes:
        """Return bytes of a file; see ``read_into``."""
        target = np.empty(length, dtype=np.uint8)
        self.read_into(path, offset, target)
        return target

    def close(self) -> None:
        """Close all files; they open again when read."""
        while self._open:
            os.close(self._open.popitem()[1])

    def __del__(self) -> None:
        self.close()


def open_shard(path: Path, large: str, small: tuple[str, ...]) -> tuple[int, tuple[Any, ...]]:
    """Return where a shard's large dataset begins in the file, and its small datasets' values.

    Raises:
        StoreError: The file is missing, cut short, or no shard of this layout.
    """
    try:
        with h5py.File(path, "r") as file:
            values = tuple(file[name][()] for name in small)
            offset = file[large].id.get_offset()
            if offset is None and file[large].size:
                raise StoreError.expected(
                    path, f"{large} in one piece", "chunks", "Generate the set again"
                )
            return int(offset or 0), values
    except (OSError, KeyError, RuntimeError) as error:
        raise StoreError.expected(
            path, "a shard of this layout", f"'{error}'", "Generate the set again"
        ) from error
