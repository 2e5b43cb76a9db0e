"""Files that are either whole or not there, and one writer at a time."""

import errno
import fcntl
import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from cisdl_bench.csv_text import format_csv
from cisdl_bench.errors import StoreError, cause, next_step
from cisdl_bench.scratch import scratch_file, sweep
from cisdl_bench.strict_json import decoded, json_text

_LINES = 4096  # of text, written in one go
_WRITE_BYTES = 1 << 16  # at a time: a virtual machine may be slow to find large pages
#: Where runs leave files half-written, below a folder that they hold.
_HOLDING = ("*/", "*/masks/", "pictures/*/")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_whole(path: Path, *pieces: bytes | memoryview, flush: bool = True) -> None:
    """Write a file under a temporary name, flush it to disk and give it its name.

    Args:
        path: File that is written.
        pieces: Content of the file, in order.
        flush: Whether to wait for the disk; False leaves that to ``flushed``.

    Raises:
        StoreError: The disk is full or the folder cannot be written; nothing is left behind.
    """
    size = sum(memoryview(piece).nbytes for piece in pieces)
    with _becoming(path, size, flush=flush) as file:
        for piece in pieces:
            _write_all(file, piece)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines of text as they come, whole or not at all; see ``write_whole``.

    Args:
        path: File that is written.
        lines: Lines without their ends.
    """
    source = iter(lines)
    with _becoming(path, 0) as file:
        while block := list(islice(source, _LINES)):
            _write_all(file, "".join(f"{line}\n" for line in block).encode())


def _write_all(file: io.FileIO, piece: bytes | memoryview) -> None:
    rest = memoryview(piece).cast("B")
    while rest:
        rest = rest[file.write(rest[:_WRITE_BYTES]) :]


@contextmanager
def _becoming(path: Path, size: int, *, flush: bool = True) -> Iterator[io.FileIO]:
    """Yield a new file that gets its name at the end; see ``write_whole``.

    Args:
        path: Name that the file gets.
        size: Number of bytes that an error names; 0 where it is not known.
        flush: Whether to wait for the disk.
    """
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if flush:
            sweep(path.parent, path.name)
        handle, partial = scratch_file(path)
        with io.FileIO(handle, "w") as file:
            yield file
            os.fchmod(file.fileno(), 0o644)
            if flush:
                os.fsync(file.fileno())
        partial.replace(path)
        partial = None
    except OSError as error:
        raise _unwritable(path, error, size) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def flushed(path: Path) -> None:
    """Wait until a file is on the disk: before a manifest names it.

    Raises:
        StoreError: The disk cannot take it.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise _unwritable(path, error, 0) from error


def write_shard(path: Path, *pieces: bytes | memoryview) -> dict[str, Any]:
    """Write a shard, see ``write_whole``; return its size in bytes and its SHA-256.

    The parent waits for the disk, see ``flushed``, while the worker makes the next shard.
    """
    total = hashlib.sha256()
    for piece in pieces:
        total.update(piece)
    write_whole(path, *pieces, flush=False)
    size = sum(memoryview(piece).nbytes for piece in pieces)
    return {"bytes": size, "sha256": total.hexdigest()}


def _unwritable(path: Path, error: OSError, size: int) -> StoreError:
    if error.errno in _FULL:
        room = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size:,} bytes" if size else "the file"
        return StoreError(
            f"{path}: there is no room for {room} ({cause(error)}). What is finished is kept: free "
            "some space and run the same command again."
        )
    return StoreError.expected(
        path,
        "a place to write to",
        f"'{cause(error)}'",
        next_step(error, "Choose another place to write to"),
    )


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> None:
    """Write a table, whole or not at all; see ``csv_text.format_csv``.

    Bytes of a path that are no UTF-8 come out as escapes.
    """
    write_whole(path, format_csv(rows, names).encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable, strict JSON, whole or not at all; NaN is written as ``null``."""
    write_whole(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Return the content of the file that ``write_json`` writes."""
    return (json_text(value) + "\n").encode()


def read_json(path: Path, what: str, shape: Any = dict, then: str = "Write it again") -> Any:
    """Return the object that a JSON file holds.

    Args:
        path: File that is read.
        what: Noun for the file in messages, such as ``a set's manifest``.
        shape: Type that the content must have, see ``strict_json.decoded``.
        then: Advice where the file is broken, a sentence without its full stop.

    Raises:
        StoreError: It is missing, cannot be read or holds something else.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise StoreError.expected(
            path, what, "no such file", "Check the path, or make it first"
        ) from error
    except OSError as error:
        raise StoreError.expected(path, what, cause(error), next_step(error, then)) from error
    return decoded(data, shape, path, then, StoreError)


def _sweep_all(folder: Path) -> None:
    sweep(folder)
    for below in _HOLDING:
        for subfolder in folder.glob(below):
            sweep(subfolder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for one run; the lock falls with the process, however it ends.

    Raises:
        StoreError: Another run holds it, or the folder cannot be written.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise _unwritable(folder, error, 0) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            number = os.pread(handle, 32, 0).decode()
            holder = f"process {number}" if number else "another process"
            raise StoreError(
                f"{folder}: {holder} is writing there. Wait for it, or choose another --out."
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        _sweep_all(folder)
        yield
        _sweep_all(folder)  # what workers that were killed meanwhile left half-written
        os.ftruncate(handle, 0)
    finally:
        with suppress(OSError):
            os.close(handle)
