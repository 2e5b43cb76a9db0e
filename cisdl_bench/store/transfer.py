"""A batch's way to a GPU: one pinned block, one copy, which nothing waits for.

Copies from ordinary memory wait for everything that the GPU has to do; copies from pinned memory
do not. One block is one copy, however many tensors a batch has.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from cisdl_bench.store.torch_view import Batch

#: Entry of a batch that stays on the CPU: which pairs they are.
_KEPT = "index"
_ALIGNED = 64  # bytes, so that every type can be read where it lies
_CHANNELS_LAST = (0, 2, 3, 1)


@dataclass(frozen=True)
class _Field:
    """A tensor's place in a block.

    Attributes:
        start: Place of its first byte.
        size: Number of its bytes.
        dtype: Type of its numbers.
        shape: Shape in the order of memory.
        channels_last: Whether that is (N, H, W, C) of a tensor (N, C, H, W).
    """

    start: int
    size: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    channels_last: bool


@dataclass(frozen=True)
class PackedBatch:
    """A batch in one block of memory.

    Attributes:
        block: Bytes of all tensors but ``index``, uint8, (n,).
        fields: Place of each tensor in the block, by name.
        kept: Entries that stay on the CPU.
    """

    block: Tensor
    fields: dict[str, _Field]
    kept: Batch

    def to(self, device: str) -> Batch:
        """Return the batch on a device; from pinned memory the copy is not waited for.

        The block must not be written again: torch's pinned memory is only reused after the copy.
        """
        block = self.block.to(device, non_blocking=True)
        batch = dict(self.kept)
        for name, field in self.fields.items():
            flat = block[field.start : field.start + field.size]
            value = flat.view(field.dtype).reshape(field.shape)
            batch[name] = value.permute(0, 3, 1, 2) if field.channels_last else value
        return batch


def pack(batch: Batch, pinned: bool = True) -> PackedBatch:
    """Return a batch in one block.

    Args:
        batch: Tensors on the CPU, contiguous, or channels-last in memory.
        pinned: Whether the block is pinned memory, which needs a GPU.
    """
    fields: dict[str, _Field] = {}
    sources: dict[str, Tensor] = {}
    total = 0
    for name, value in batch.items():
        if name == _KEPT:
            continue
        last = value.dim() == 4 and value.is_contiguous(memory_format=torch.channels_last)
        sources[name] = value.permute(_CHANNELS_LAST) if last else value
        size = value.numel() * value.element_size()
        fields[name] = _Field(total, size, value.dtype, tuple(sources[name].shape), last)
        total += -(-size // _ALIGNED) * _ALIGNED
    block = torch.empty(total, dtype=torch.uint8, pin_memory=pinned)
    for name, field in fields.items():
        target = block[field.start : field.start + field.size]
        target.view(field.dtype).reshape(field.shape).copy_(sources[name])
    return PackedBatch(block, fields, {name: batch[name] for name in batch if name == _KEPT})
