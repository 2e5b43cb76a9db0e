"""The exceptions that the command line prints as one line."""

import errno
import os
from typing import Self


class CisdlError(Exception):
    """Something a user can put right; the message is one line that says how."""

    @classmethod
    def expected(cls, where: object, what: str, got: object, then: str) -> Self:
        """Return an error whose sentence has the form that all of ours have.

        Args:
            where: The file, argument or record that is wrong.
            what: Expectation, a noun phrase.
            got: Value that was found instead.
            then: What to do next, a sentence without its full stop.

        >>> print(CisdlError.expected("a.toml: size", "a whole number", "'x'", "Write 256"))
        a.toml: size: expected a whole number, got 'x'. Write 256.
        """
        return cls(f"{where}: expected {what}, got {got}. {then}.")


class SpecError(CisdlError):
    """A set's description is wrong or has no such name."""


class SourceError(CisdlError):
    """Photographs or annotations cannot be used at all."""


class DownloadError(CisdlError):
    """A file could not be fetched, checked or unpacked."""


class StoreError(CisdlError):
    """A data set on disk is broken, unfinished or cannot be written."""


class MetricError(CisdlError):
    """A metric's function fails, or returns what its entry excludes."""


class ModelError(CisdlError):
    """A checkpoint or detector cannot be used."""


class RunError(CisdlError):
    """A folder of results is missing, stale or of another kind."""


class WorkerError(CisdlError):
    """A worker process ended before its work did; what is finished is kept."""


_NEXT = {
    errno.EACCES: "Ask its owner for leave, or choose a path of your own",
    errno.EPERM: "Ask its owner for leave, or choose a path of your own",
    errno.EROFS: "Choose a folder that can be written to",
    errno.ENOENT: "Check the path",
    errno.ELOOP: "Mend the symbolic links on its path",
    errno.ENAMETOOLONG: "Use a shorter name",
    errno.ENOTDIR: "Name a folder where a file is named now",
    errno.EISDIR: "Name a file, not a folder",
    errno.ENOSPC: "Free some space and run the same command again",
    errno.EDQUOT: "Free some space and run the same command again",
    errno.EFBIG: "Choose a file system that takes larger files",
    errno.EIO: "Check the disk",
    errno.ESTALE: "Mount its file system again",
    errno.EMFILE: "Raise the limit of open files: ulimit -n 4096",
    errno.ENFILE: "Close other programs: the system has no file handle left",
    errno.EAGAIN: "Another process has locked it: wait, or set HDF5_USE_FILE_LOCKING=FALSE",
    errno.ENOMEM: "Use fewer processes or a machine with more memory",
}


def cause(error: BaseException) -> str:
    """Return why something failed, one line without a full stop at its end.

    >>> cause(FileNotFoundError(2, "No such file or directory"))
    'No such file or directory'
    >>> cause(MemoryError())
    'MemoryError'
    """
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__


def next_step(error: BaseException, otherwise: str) -> str:
    """Return what to do about an error: by its number where it has one that says enough.

    Args:
        error: Exception that was caught.
        otherwise: The advice for any other error, a sentence without its full stop.

    >>> next_step(OSError(40, "Too many levels of symbolic links"), "Save it as PNG")
    'Mend the symbolic links on its path'
    """
    number = error.errno if isinstance(error, OSError) else None
    return _NEXT.get(number or 0, otherwise)
