"""Reading byte ranges of contiguous HDF5 datasets past HDF5, safe after fork and in threads."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import StoreError, cause, next_step

MOST_OPEN = 256

Bytes = npt.NDArray[np.uint8]

AGAIN = "Generate the set again with --overwrite"


class _Handle:
    """An open file that closes when nothing refers to it any more."""

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        with suppress(AttributeError, OSError):  # never opened, or the interpreter is going
            os.close(self.number)


class OpenFiles:
    """Open files by path, the least recently used given up first; pickles as empty.

    A reader holds its file while it reads, so a file that another thread gives up in the
    meantime stays open until the reader is done.

    Args:
        most: Number of files that are kept open.
    """

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._most = most
        # Keyed by text: hashing a Path runs Python code, where another thread may come between.
        self._open: dict[str, _Handle] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return OpenFiles, (self._most,)

    def _handle(self, path: Path) -> _Handle:
        key = str(path)
        try:
            # Each step is atomic; two threads may open one file twice, and one handle is dropped.
            handle = self._open.pop(key, None) or _Handle(path)
        except OSError as error:
            raise StoreError.expected(
                path, "a shard", cause(error), next_step(error, AGAIN)
            ) from error
        self._open[key] = handle
        if len(self._open) > self._most:
            with suppress(KeyError, RuntimeError, StopIteration):  # another thread was faster
                del self._open[next(iter(self._open))]
        return handle

    def read_into(self, path: Path, offset: int, target: Bytes) -> None:
        """Fill a contiguous uint8 array from a file.

        Raises:
            StoreError: The file is missing, cannot be read or ends too early.
        """
        handle = self._handle(path)
        view = target.data.cast("B")
        got = 0
        while got < target.nbytes:
            try:
                more = os.preadv(handle.number, [view[got:]], offset + got)
            except OSError as error:
                raise StoreError.expected(
                    path, "a shard", cause(error), next_step(error, AGAIN)
                ) from error
            if not more:
                raise StoreError.expected(
                    path,
                    f"{target.nbytes} bytes at {offset}",
                    f"{got}, the shard was cut short",
                    AGAIN,
                )
            got += more

    def read(self, path: Path, offset: int, length: int) -> Bytes:
        """Return bytes of a file; see ``read_into``."""
        target = np.empty(length, dtype=np.uint8)
        self.read_into(path, offset, target)
        return target


class Column(NamedTuple):
    """What a dataset of a shard must be: one row for each of the shard's items.

    Attributes:
        dtype: Type of the dataset; ``S`` is bytes of any fixed length.
        row: Shape of one row; () is one value.
    """

    dtype: Any
    row: tuple[int, ...] = ()


class Shard(NamedTuple):
    """An opened shard.

    Attributes:
        offset: First byte of the large dataset in the file.
        length: Number of bytes of the large dataset.
        values: Small datasets in their order, arrays of one length.
    """

    offset: int
    length: int
    values: tuple[npt.NDArray[Any], ...]


def open_shard(path: Path, large: str, small: Mapping[str, Column]) -> Shard:
    """Return where a shard's large uint8 dataset lies in the file, and its small datasets.

    Only what lies in the file itself is read: external links, external storage and virtual
    datasets are refused, as is any dataset of another type, rank or length.

    Args:
        path: File of the shard.
        large: Name of the large dataset.
        small: Small datasets by name.

    Raises:
        StoreError: The file is missing, cut short, locked, or no shard of this layout.
    """
    try:
        size = path.stat().st_size
        with h5py.File(path, "r") as file:
            values = tuple(_read(file, name, column, path) for name, column in small.items())
            dataset = _find_dataset(file, large, path)
            offset, length = dataset.id.get_offset(), int(np.prod(dataset.shape, dtype=object))
            _require(dataset.dtype == np.uint8, path, f"{large} of uint8", dataset.dtype)
            _require(dataset.chunks is None, path, f"{large} in one piece", "chunks")
            ok = not length or (offset is not None and offset + length <= size)
            _require(ok, path, f"{length} bytes of {large}", f"a file of {size}, cut short")
    except StoreError:
        raise
    except Exception as error:  # HDF5 reports a damaged file by exceptions of any class
        raise StoreError.expected(
            path, "a shard of this layout", f"'{cause(error)}'", next_step(error, AGAIN)
        ) from error
    lengths = {len(value) for value in values}
    _require(len(lengths) <= 1, path, "datasets of one length", sorted(lengths))
    return Shard(int(offset or 0), length, values)


def _require(ok: bool, path: Path, what: str, got: object) -> None:
    if not ok:
        raise StoreError.expected(path, what, got, AGAIN)


def _find_dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """Return a dataset whose bytes lie in the file itself."""
    link = file.get(name, getlink=True)
    _require(isinstance(link, h5py.HardLink), path, f"the dataset {name}", "none, or a link")
    dataset = file[name]
    _require(isinstance(dataset, h5py.Dataset), path, f"the dataset {name}", "a group")
    _require(not dataset.is_virtual, path, f"{name} in this file", "a virtual dataset")
    _require(not dataset.external, path, f"{name} in this file", "external storage")
    return dataset


def _read(file: h5py.File, name: str, column: Column, path: Path) -> npt.NDArray[Any]:
    dataset = _find_dataset(file, name, path)
    text = column.dtype == "S"
    fits = dataset.dtype.kind == "S" if text else dataset.dtype == column.dtype
    _require(fits, path, f"{name} of {column.dtype}", str(dataset.dtype)[:60])
    shape = dataset.shape or ()
    wanted = f"{name} of n rows {column.row or ''}".rstrip()
    _require(len(shape) >= 1 and shape[1:] == column.row, path, wanted, dataset.shape)
    # A shape is only a claim: what is stored must be as much.
    stored = dataset.id.get_storage_size()
    _require(stored == dataset.nbytes, path, f"{dataset.nbytes} bytes of {name}", stored)
    return np.asarray(dataset[()])
