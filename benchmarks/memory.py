"""Peak memory of this process and all below it, shared pages counted once (Linux)."""

import os
import threading
from pathlib import Path

_EVERY_S = 0.5  # more often, and the looking itself slows what is looked at


def _children(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += _children(int(child))
    return found


def _pss_mb() -> float:
    total = 0
    for pid in _children(os.getpid()):
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            continue
    return total / 1024


class Peak:
    """Samples memory while the block runs; ``mb`` is the largest sum seen."""

    def __init__(self) -> None:
        self.mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._over.wait(_EVERY_S):
            try:
                self.mb = max(self.mb, _pss_mb())
            except OSError:
                continue

    def __enter__(self) -> "Peak":
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        self._thread.join()
