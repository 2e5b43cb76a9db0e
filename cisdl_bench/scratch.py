"""Files and folders on the way to their names: hidden, locked while written, swept afterwards.

A name such as ``.set.h5-x1y2z3.part`` belongs to whoever holds its lock, which falls with the
process however it ends; what nobody holds was left behind by a kill.
"""

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SUFFIX = ".part"
_LONGEST = 40  # characters of the final name: a name has at most 255 bytes


def _prefix(name: str) -> str:
    return f".{name[:_LONGEST]}-"


def scratch_file(target: Path) -> tuple[int, Path]:
    """Return a descriptor and the path of a new file beside its target, held by this process.

    Args:
        target: The file that it will become.

    Raises:
        OSError: It cannot be made.
    """
    while True:
        made = tempfile.mkstemp(prefix=_prefix(target.name), suffix=_SUFFIX, dir=target.parent)
        if _held(made[0]):
            return made[0], Path(made[1])
        os.close(made[0])


@contextmanager
def scratch_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder beside its target, held by this process and removed at the end.

    Args:
        target: The file or folder that its content will become.

    Raises:
        OSError: It cannot be made.
    """
    sweep(target.parent, target.name)
    while True:
        name = tempfile.mkdtemp(prefix=_prefix(target.name), suffix=_SUFFIX, dir=target.parent)
        handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
        if _held(handle):
            break
        os.close(handle)
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)
        os.close(handle)


def _held(handle: int) -> bool:
    """Lock a new file or folder; return False where a sweep came between."""
    with suppress(OSError):  # a file system without locks
        fcntl.flock(handle, fcntl.LOCK_EX)
    return os.fstat(handle).st_nlink > 0


def sweep(folder: Path, name: str | None = None) -> None:
    """Remove what killed processes left half-written in a folder.

    Args:
        folder: The folder; what lies below its folders is left alone.
        name: Only what was to become a file or folder of this name; None is anything.
    """
    start = "." if name is None else glob.escape(_prefix(name))
    with suppress(OSError):
        for path in list(folder.glob(f"{start}*{_SUFFIX}")):
            _remove_unless_held(path)


def _remove_unless_held(path: Path) -> None:
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        finally:
            os.close(handle)
