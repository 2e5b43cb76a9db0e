"""Several processes on one scoring run, under torchrun: who takes which pairs, and waiting."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Rank:
    """This process among those of the run.

    Attributes:
        number: 0 to ``total`` - 1; 0 writes what is common.
        total: How many there are.
    """

    number: int = 0
    total: int = 1

    def share(self, indices: list[int], batch_size: int) -> list[int]:
        """Return this process's pairs: whole batches in turn, so each pair has one owner.

        >>> Rank(1, 2).share([0, 1, 2, 3, 4, 5, 6], 2)
        [2, 3, 6]
        """
        parts = [
            indices[start : start + batch_size] for start in range(0, len(indices), batch_size)
        ]
        return [index for part in parts[self.number :: self.total] for index in part]

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self.total > 1:
            import torch.distributed

            torch.distributed.barrier()


@contextmanager
def ranked() -> Iterator[Rank]:
    """Yield this process's rank, from torchrun's environment; one process where there is none."""
    total = int(os.environ.get("WORLD_SIZE", "1"))
    if total == 1:
        yield Rank()
        return
    import torch.distributed

    torch.distributed.init_process_group("gloo")  # only ever waits: the rows go through files
    try:
        yield Rank(torch.distributed.get_rank(), total)
    finally:
        torch.distributed.destroy_process_group()
