"""Progress of long work; the command line shows it as bars and lines."""

from typing import Protocol


class Progress(Protocol):
    """Receives progress updates and messages of long work, a stage at a time."""

    def start(self, what: str, total: int | None, done: int = 0, name: str = "") -> None:
        """Begin a stage.

        Args:
            what: Unit that is counted, such as ``pairs``; ``B`` is bytes.
            total: Number of units in all; None where it is not known.
            done: Number of units that are done already.
            name: Name of the file or thing that the stage is about.
        """
        ...

    def advance(self, n: int) -> None:
        """Count more units as done."""
        ...

    def note(self, text: str) -> None:
        """Show the latest numbers of the stage."""
        ...

    def stop(self) -> None:
        """End the stage."""
        ...

    def say(self, message: str) -> None:
        """Show a line to the user."""
        ...
