"""What the command line makes of exceptions: one line, and a log file where there is more."""

import os
import pickle
import sys
import tempfile
import traceback
import warnings
from contextlib import suppress
from pathlib import Path

import click

from cisdl_bench.bars import LOGGER
from cisdl_bench.errors import CisdlError, cause, next_step

_LONGEST = 160  # characters of a path in a line
#: In torch's messages where /dev/shm is full: a Bus error is how a reader ends there.
_NO_ROOM = ("shared memory", "/dev/shm", "Bus error")  # noqa: S108 - words of a message
_KEPT = "What is finished is kept: run the same command again"


def prepare(verbose: int) -> None:
    """Let no character that the terminal lacks, and no warning of a library, end or spoil a run.

    Args:
        verbose: Above 0, warnings are shown.

    Raises:
        CisdlError: The current folder is gone, which would end libraries without a word.
    """
    try:
        Path.cwd()
    except FileNotFoundError:
        raise CisdlError("the current folder is gone. Change to one that is there.") from None
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # replaced by another program's
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if not verbose and not sys.warnoptions:
        warnings.simplefilter("ignore")
        os.environ.setdefault("PYTHONWARNINGS", "ignore")  # of worker processes


def exit_code(error: BaseException) -> int | None:
    """Say on stderr why a command ends; return its exit code, None where that is not known here.

    Args:
        error: Exception that ended the command.
    """
    if isinstance(error, CisdlError):
        _say(str(error))
        return 2
    if isinstance(error, KeyboardInterrupt):
        _say("stopped; what is finished is kept, the same command resumes")
        return 130
    if isinstance(error, BrokenPipeError):
        _silence(sys.stdout)
        return 141
    if any(word in _whole_text(error) for word in _NO_ROOM):
        _logged(
            "workers have no room in /dev/shm",
            f"{_KEPT} with --workers 0, or give it more room (docker run --shm-size 1g)",
            error,
        )
        return 1
    if _is_a_dead_worker(error):
        _logged(
            "a worker process was killed, perhaps for lack of memory",
            f"{_KEPT}, with --jobs 1 or --workers 0 where memory is short",
            error,
        )
        return 1
    if isinstance(error, OSError):
        name = error.filename
        where = f"{_short(os.fsdecode(name))}: " if isinstance(name, (str, bytes)) else ""
        then = next_step(error, "Check the paths that the command names")
        _logged(f"{where}{cause(error)}", then, error)
        return 2
    if isinstance(error, UnicodeError):
        _logged(f"text that cannot be read or written: {cause(error)}", "Rename the file", error)
        return 2
    if isinstance(error, (MemoryError, RecursionError)):
        _logged("not enough memory", f"{_KEPT}, with fewer processes or smaller batches", error)
        return 1
    if isinstance(error, pickle.PicklingError):
        _logged(
            "work that cannot be sent to other processes",
            "Use --jobs 1 or --workers 0, or define it in a module of its own",
            error,
        )
        return 1
    return None


def flush() -> None:
    """Write out what stdout still holds, so that a full disk is noticed here.

    Raises:
        OSError: It cannot be written; what is left of it is dropped.
    """
    try:
        sys.stdout.flush()
    except OSError:
        _silence(sys.stdout)
        raise


def _say(line: str) -> None:
    with suppress(OSError):
        LOGGER.info("ended by: %s", line)
        click.echo(f"cisdl-bench: {line}", err=True)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _is_a_dead_worker(error: BaseException) -> bool:
    name = type(error).__name__  # joblib's and torch's classes without importing either
    dead = ("TerminatedWorkerError", "BrokenProcessPool", "KilledWorker", "BrokenExecutor")
    return name in dead or (isinstance(error, RuntimeError) and "DataLoader worker" in str(error))


def _whole_text(error: BaseException) -> str:
    """Return what an error and those that it was raised from say."""
    text, seen = "", set[int]()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        text += f"{each}\n"
        each = each.__cause__ or each.__context__
    return text


def _logged(what: str, then: str, error: BaseException) -> None:
    """Say a line that names a file with the traceback."""
    more = ""
    with suppress(OSError):
        handle, name = tempfile.mkstemp(prefix="cisdl-bench-", suffix=".log")
        with os.fdopen(handle, "w", errors="backslashreplace") as file:
            file.writelines(traceback.format_exception(error))
        more = f" Details: {Path(name)}"
    _say(f"{what}. {then}.{more}")


def _silence(stream: object) -> None:
    """Send what a stream still holds, and the interpreter's last flush, to nowhere."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[attr-defined]
        os.close(nowhere)
