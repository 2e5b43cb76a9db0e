"""Progress bars on a terminal, and messages on stderr."""

import logging
import sys
import time
from typing import Any

import click

#: Says what a run says to the user; the command line writes it to a file of the run.
LOGGER = logging.getLogger("cisdl_bench")


class Bars:
    """Shows progress as bars and messages as lines; without a terminal there are no bars."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Any = None
        self._stage, self._done, self._begun = "", 0, 0.0

    def start(self, what: str, total: int | None, done: int = 0, name: str = "") -> None:
        """Show a bar that counts units; ``B`` is bytes."""
        from tqdm import tqdm

        in_bytes = what == "B"
        self._stage = f"{name}: {what}" if name else what
        self._done, self._begun = 0, time.monotonic()
        self._bar = tqdm(
            total=total,
            initial=done,
            unit=what if in_bytes else f" {what}",
            unit_scale=in_bytes,
            desc=name or None,
            disable=self._quiet or not sys.stderr.isatty(),
        )

    def advance(self, n: int) -> None:
        """Count more units as done."""
        self._done += n
        self._bar.update(n)

    def note(self, text: str) -> None:
        """Show the latest numbers behind the bar."""
        self._bar.set_postfix_str(text)

    def stop(self) -> None:
        """End the bar where it stands."""
        self._bar.close()
        seconds = time.monotonic() - self._begun
        LOGGER.info("%s: %s in %.1f s", self._stage, f"{self._done:,}", seconds)

    def say(self, message: str) -> None:
        """Write a line to stderr."""
        LOGGER.info(message)
        if not self._quiet:
            click.echo(message, err=True)
