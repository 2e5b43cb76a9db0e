"""Training batches: read ahead, flipped and swapped on the device."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Sampler

from cisdl_bench.engine import reader_of_this_process
from cisdl_bench.store.torch_view import Batch, PairDataset, collate, read_ahead
from cisdl_bench.training.epoch_order import Draw, EpochOrder


@dataclass(frozen=True)
class Part:
    """This process's part of every batch, in pieces whose gradients are added up.

    Attributes:
        batch: Number of pairs in a whole batch, over all processes.
        pieces: Number of pieces in which each process goes through its part.
        rank: Number of this process.
        ranks: Number of processes.
    """

    batch: int
    pieces: int = 1
    rank: int = 0
    ranks: int = 1

    @property
    def piece(self) -> int:
        """Pairs of one piece."""
        return self.batch // (self.ranks * self.pieces)

    def start(self, batch: int, piece: int) -> int:
        """Return where in the order a piece of this process begins.

        >>> Part(batch=24, pieces=2, rank=1, ranks=2).start(batch=1, piece=0)
        36
        """
        return batch * self.batch + (self.rank * self.pieces + piece) * self.piece


def feed(
    dataset: PairDataset, order: EpochOrder, part: Part, first: int, device: str, workers: int = 0
) -> Generator[Batch, None, None]:
    """Yield this process's pieces of batch ``first`` and of all that follow, on the device.

    Without workers a thread reads ahead. On a GPU, batches are pinned and copied without waiting.
    """

    def draws() -> Iterator[Draw]:
        batch = first
        while True:
            for piece in range(part.pieces):
                yield order.take(part.start(batch, piece), part.piece)
            batch += 1

    pinned = device.startswith("cuda")
    loader: DataLoader[Batch] = DataLoader(
        dataset,
        batch_sampler=_Numbers(draws()),
        collate_fn=collate,
        generator=torch.Generator(),  # its own: the reading thread must not draw from dropout's
        num_workers=workers,
        worker_init_fn=reader_of_this_process(),
        pin_memory=pinned and workers > 0,
    )
    with closing(_batches(loader, pinned, workers)) as source:
        for batch, draw in zip(source, draws(), strict=False):
            on_device = {
                name: value if name == "index" else value.to(device, non_blocking=True)
                for name, value in batch.items()
            }
            yield augment(on_device, draw)


def _batches(loader: DataLoader[Batch], pinned: bool, workers: int) -> Generator[Batch, None, None]:
    yield from loader if workers else read_ahead(loader, pinned)


class _Numbers(Sampler[list[int]]):
    """The pair numbers of draws, as a sampler of whole batches."""

    def __init__(self, draws: Iterator[Draw]) -> None:
        self._draws = draws

    def __iter__(self) -> Iterator[list[int]]:
        return (draw.pairs.tolist() for draw in self._draws)


def augment(batch: Batch, draw: Draw) -> Batch:
    """Return a batch with some pairs mirrored and some pairs' pictures swapped (protocol, 8).

    Of frozen features the maps are mirrored, which is nearly what mirrored pictures would give.

    >>> import numpy as np
    >>> picture = torch.arange(2).reshape(1, 1, 1, 2)
    >>> batch = {"probe": picture, "donor": picture + 2, "probe_mask": picture[0],
    ...          "donor_mask": picture[0]}
    >>> both = Draw(np.array([0]), np.array([True]), np.array([True]))
    >>> augment(batch, both)["probe"].flatten().tolist()
    [3, 2]
    """
    device = batch["probe_mask"].device
    flip, swap = (torch.from_numpy(values).to(device) for values in (draw.flip, draw.swap))
    result = dict(batch)
    for ending in ("", "_mask"):
        if f"probe{ending}" not in batch:
            continue
        probe, donor = (_where(flip, batch[f"{s}{ending}"]) for s in ("probe", "donor"))
        chosen = _like(swap, probe)
        result[f"probe{ending}"] = torch.where(chosen, donor, probe)
        result[f"donor{ending}"] = torch.where(chosen, probe, donor)
    if "maps" in batch:
        result["maps"] = _where(flip, batch["maps"])
    for name in ("known", "maps"):
        if name in batch:
            both = result[name]
            result[name] = torch.where(_like(swap, both), both.flip(1), both)
    return result


def _like(chosen: Tensor, values: Tensor) -> Tensor:
    return chosen.reshape(-1, *(1,) * (values.dim() - 1))


def _where(flip: Tensor, values: Tensor) -> Tensor:
    return torch.where(_like(flip, values), values.flip(-1), values)


def make_target(mask: Tensor, side: int) -> Tensor:
    """Return a true mask at a network's resolution, int64 0 or 1, (N, side, side).

    A position is 'tampered' where at least half of its area is.

    Args:
        mask: True masks, uint8 0 or 1, (N, S, S).
        side: Side of the result in positions.

    >>> make_target(torch.tensor([[[1, 1], [0, 0]]], dtype=torch.uint8), 1).item()
    1
    """
    share = functional.adaptive_avg_pool2d(mask.float().unsqueeze(1), side).squeeze(1)
    return (share >= 0.5).long()
