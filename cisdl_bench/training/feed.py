"""Training batches: read ahead, flipped and swapped on the device."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Sampler

from cisdl_bench.engine import reader_of_this_process
from cisdl_bench.store.torch_view import Batch, PairDataset, collate, read_ahead
from cisdl_bench.store.transfer import PackedBatch, pack
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

    Without workers a thread reads ahead. To a GPU goes one pinned block a piece, with what is
    mirrored and swapped; the step waits for no copy.
    """

    def draws() -> Iterator[Draw]:
        batch = first
        while True:
            for piece in range(part.pieces):
                yield order.take(part.start(batch, piece), part.piece)
            batch += 1

    loader: DataLoader[Batch] = DataLoader(
        dataset,
        batch_sampler=_Numbers(draws()),
        collate_fn=collate,
        generator=torch.Generator(),  # its own: the reading thread must not draw from dropout's
        num_workers=workers,
        worker_init_fn=reader_of_this_process(),
    )
    bring = _bring_packed if device.startswith("cuda") else _bring
    with closing(bring(loader, draws(), device, workers)) as source:
        yield from source


def _bring(
    loader: DataLoader[Batch], draws: Iterator[Draw], device: str, workers: int
) -> Generator[Batch, None, None]:
    """Yield augmented batches on the CPU."""
    with closing(_read(loader, workers)) as source:
        for batch, draw in zip(source, draws, strict=False):
            yield augment(batch, draw)


def _bring_packed(
    loader: DataLoader[Batch],
    draws: Iterator[Draw],
    device: str,
    workers: int,
    pinned: bool = True,
) -> Generator[Batch, None, None]:
    """Yield augmented batches on a GPU; the reading thread packs them, with workers too."""

    def prepare(batch: Batch) -> PackedBatch:
        flip, swap = _choices(next(draws))
        return pack({**batch, "flip": flip, "swap": swap}, pinned)

    with closing(_pack_ahead(loader, prepare)) as source:
        for packed in source:
            batch = packed.to(device)
            yield mirror_and_swap(batch, batch.pop("flip"), batch.pop("swap"))


def _read(loader: DataLoader[Batch], workers: int) -> Generator[Batch, None, None]:
    yield from loader if workers else read_ahead(loader, lambda batch: batch)


def _pack_ahead(
    loader: DataLoader[Batch], prepare: Callable[[Batch], PackedBatch]
) -> Generator[PackedBatch, None, None]:
    yield from read_ahead(loader, prepare)


def _choices(draw: Draw) -> tuple[Tensor, Tensor]:
    """Return which pairs are mirrored and which are swapped, bool, (N,)."""
    return torch.from_numpy(draw.flip), torch.from_numpy(draw.swap)


class _Numbers(Sampler[list[int]]):
    """The pair numbers of draws, as a sampler of whole batches."""

    def __init__(self, draws: Iterator[Draw]) -> None:
        self._draws = draws

    def __iter__(self) -> Iterator[list[int]]:
        return (draw.pairs.tolist() for draw in self._draws)


def augment(batch: Batch, draw: Draw) -> Batch:
    """Return a batch with some pairs mirrored and some pairs' pictures swapped (protocol, 8).

    >>> import numpy as np
    >>> picture = torch.arange(2).reshape(1, 1, 1, 2)
    >>> batch = {"probe": picture, "donor": picture + 2, "probe_mask": picture[0],
    ...          "donor_mask": picture[0]}
    >>> both = Draw(np.array([0]), np.array([True]), np.array([True]))
    >>> augment(batch, both)["probe"].flatten().tolist()
    [3, 2]
    """
    device = batch["probe_mask"].device
    flip, swap = (choice.to(device) for choice in _choices(draw))
    return mirror_and_swap(batch, flip, swap)


def mirror_and_swap(batch: Batch, flip: Tensor, swap: Tensor) -> Batch:
    """Return a batch as ``augment`` does, by choices that are on its device.

    Of frozen features the maps are mirrored, which is nearly what mirrored pictures would give.

    Args:
        batch: Pictures and masks of pairs.
        flip: Whether both pictures of a pair are mirrored, bool, (N,), on the batch's device.
        swap: Whether the two pictures of a pair change places, bool, (N,), on that device.
    """
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
