"""What long work tells of itself; the command line shows it as bars and lines."""

from typing import Protocol


class Progress(Protocol):
    """Hears how long work goes on, a stage at a time."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """A stage begins: so many of something, so many done already."""
        ...

    def advance(self, n: int) -> None:
        """So many more are done."""
        ...

    def note(self, text: str) -> None:
        """The latest numbers of the stage."""
        ...

    def stop(self) -> None:
        """The stage ends."""
        ...

    def say(self, message: str) -> None:
        """A line to be read."""
        ...
