"""Progress bars on a terminal, and messages on stderr."""

import sys
from typing import Any

import click


class Bars:
    """Shows progress as bars and messages as lines; without a terminal there are no bars."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Any = None

    def start(self, what: str, total: int | None, done: int = 0, name: str = "") -> None:
        """Show a bar that counts units; ``B`` is bytes."""
        from tqdm import tqdm

        in_bytes = what == "B"
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
        self._bar.update(n)

    def note(self, text: str) -> None:
        """Show the latest numbers behind the bar."""
        self._bar.set_postfix_str(text)

    def stop(self) -> None:
        """End the bar where it stands."""
        self._bar.close()

    def say(self, message: str) -> None:
        """Write a line to stderr."""
        if not self._quiet:
            click.echo(message, err=True)
