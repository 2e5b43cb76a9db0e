"""What ``PairMetrics`` needs of ``torchmetrics.Metric``, for where torchmetrics is missing."""

from typing import Any

import torch
from torch import Tensor, distributed, nn


class Metric(nn.Module):
    """A metric whose states are lists of tensors of one row a pair."""

    def __init__(self) -> None:
        super().__init__()
        self._states: list[str] = []

    def add_state(self, name: str, default: list[Tensor], dist_reduce_fx: str) -> None:
        """Add a state, an empty list, whose tensors have a row for each pair."""
        self._states.append(name)
        setattr(self, name, list(default))

    def reset(self) -> None:
        """Forget all batches."""
        for name in self._states:
            setattr(self, name, [])

    def gather(self, rows: Tensor) -> Tensor:
        """Return the rows of all processes of ``torch.distributed``, (n, columns)."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return rows
        parts: list[Any] = [None] * distributed.get_world_size()
        distributed.all_gather_object(parts, rows.cpu())
        return torch.cat(parts)
