"""Ctrl-C and SIGTERM are noted, so that a step ends before the run does."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def note_signals() -> Iterator[list[int]]:
    """Yield a list that a first Ctrl-C or SIGTERM is noted in; a second one ends at once."""
    received: list[int] = []

    def note(number: int, frame: object) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt

    handlers = {}
    with suppress(ValueError):  # not in the main thread
        for number in (signal.SIGINT, signal.SIGTERM):
            handlers[number] = signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
