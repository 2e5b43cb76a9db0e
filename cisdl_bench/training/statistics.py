"""A network's running statistics over the pieces and processes that share a batch.

Each piece, in one process or in several, normalises by its own batch statistics and updates the
running ones from where they stood before the batch; what is kept is the mean over all pieces. So
a network has the same running statistics however a batch is divided among processes and pieces.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed
from torch import Tensor, nn


class Statistics:
    """The buffers of a network that its forward passes update.

    Args:
        network: Network on its device, in training mode.
        pieces: Number of pieces in which each process goes through its part of a batch.
    """

    def __init__(self, network: nn.Module, pieces: int) -> None:
        kept = network.state_dict(keep_vars=True)
        self._buffers = [buffer for name, buffer in network.named_buffers() if name in kept]
        self._floats = [buffer for buffer in self._buffers if buffer.is_floating_point()]
        self._pieces = pieces
        self._before: list[Tensor] = []
        self._total: Tensor | None = None

    @contextmanager
    def piece(self, number: int) -> Iterator[None]:
        """Run one piece's forward and backward passes; after the last one the mean is kept."""
        if self._pieces == 1 or not self._floats:
            yield
            return
        if number == 0:
            self._before = [buffer.clone() for buffer in self._buffers]
            self._total = torch.zeros_like(self._flat())
        else:
            for buffer, before in zip(self._buffers, self._before, strict=True):
                buffer.copy_(before)
        yield
        assert self._total is not None
        self._total += self._flat()
        if number == self._pieces - 1:
            self._set(self._total / self._pieces)

    def average(self) -> None:
        """Keep the mean over all processes; every one of them must call this."""
        if self._floats:
            flat = self._flat()
            torch.distributed.all_reduce(flat)
            self._set(flat / torch.distributed.get_world_size())

    def _flat(self) -> Tensor:
        # float64: the mean of equal float32 numbers is that number, however many there are.
        return torch.cat([buffer.detach().double().flatten() for buffer in self._floats])

    def _set(self, flat: Tensor) -> None:
        parts = torch.split(flat, [buffer.numel() for buffer in self._floats])
        for buffer, part in zip(self._floats, parts, strict=True):
            buffer.copy_(part.reshape(buffer.shape))
