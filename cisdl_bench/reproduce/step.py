"""What a step of a reproduction is, and what is left of it."""

from dataclasses import dataclass
from typing import Protocol

from cisdl_bench.progress import Progress
from cisdl_bench.reproduce.rates import Rates

#: Advice where a folder holds something else.
REMOVE = "Remove that folder to make it again, or choose another --out."


@dataclass(frozen=True)
class Cost:
    """What is left of a step.

    Attributes:
        seconds: Time that it takes.
        bytes: Room that it takes on disk.
    """

    seconds: float = 0.0
    bytes: int = 0


class Step(Protocol):
    """One step of a reproduction."""

    @property
    def title(self) -> str:
        """What it does, one line."""
        ...

    def done(self) -> bool:
        """Return whether nothing is left to do, by what it wrote."""
        ...

    def check(self) -> None:
        """Refuse a folder that holds something else.

        Raises:
            RunError: It does.
        """
        ...

    def cost(self, rates: Rates) -> Cost:
        """Return what is left of it, from measured rates."""
        ...

    def run(self, progress: Progress) -> None:
        """Do what is left of it."""
        ...
