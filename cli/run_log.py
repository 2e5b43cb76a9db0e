"""``COMMAND.log`` where a command writes: what was typed, what was said, how it ended."""

import logging
import shlex
import sys
from contextlib import suppress
from pathlib import Path

import click

from cisdl_bench import __version__
from cisdl_bench.bars import LOGGER


class RunLog(logging.Handler):
    """Appends to a file in a folder from when the run has made it: a refused run makes none."""

    def __init__(self, folder: Path, command: str) -> None:
        super().__init__()
        self._folder, self._path = folder, folder / f"{command}.log"
        self._waiting: list[str] = []
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, and write what was kept; where that fails the run goes on without."""
        self._waiting.append(self.format(record) + "\n")
        if not self._folder.is_dir():
            return
        with suppress(OSError), self._path.open("a", encoding="utf-8", errors="replace") as file:
            file.writelines(self._waiting)
        self._waiting.clear()


def keep_log(folder: Path, command: str) -> None:
    """Write what this run says to a file too.

    Args:
        folder: Folder that the command writes to.
        command: Name of the command and, with ``.log``, of the file.
    """
    close_logs()
    LOGGER.addHandler(RunLog(folder.absolute(), command))
    LOGGER.setLevel(logging.INFO)
    typed = shlex.join(["cisdl-bench", *sys.argv[1:]])
    LOGGER.info("%s (version %s, in %s)", typed, __version__, Path.cwd())


def echo(line: str) -> None:
    """Print a line of the result, which the log has too."""
    click.echo(line)
    LOGGER.info(line)


def close_logs() -> None:
    """End the logs of earlier runs of this process."""
    for handler in [handler for handler in LOGGER.handlers if isinstance(handler, RunLog)]:
        LOGGER.removeHandler(handler)
