"""Progress bars on a terminal, and messages on stderr."""

import sys
from typing import Any

import click


class Bars:
    """Tells how a run goes on; its bars are silent where stderr is no terminal."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Any = None

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Show a bar that counts so many."""
        from tqdm import tqdm

        hidden = self._quiet or not sys.stderr.isatty()
        self._bar = tqdm(total=total, initial=done, unit=f" {what}", disable=hidden, leave=True)

    def start_bytes(self, name: str, total: int | None, done: int) -> None:
        """Show a bar that counts bytes."""
        from tqdm import tqdm

        hidden = self._quiet or not sys.stderr.isatty()
        self._bar = tqdm(
            total=total, initial=done, unit="B", unit_scale=True, desc=name, disable=hidden
        )

    def advance(self, n: int) -> None:
        """Count so many more."""
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
