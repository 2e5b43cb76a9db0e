"""How fast pairs are read back, in one process and through the torch view, and what limits it.

    python benchmarks/reading.py SET [--batches 400] [--workers 2]

SET is a generated set, for example the one that benchmarks/generation.py leaves. The limits are
measured in the same run: reading the same bytes of the same files and nothing else, and handing
empty batches of the same size from workers to the main process.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from cisdl_bench.store import PairSet, open_pairs
from cisdl_bench.store.torch_view import PairDataset, collate, pair_loader

BATCH = 24


class EmptyBatches(Dataset):
    """As many bytes a batch as ``PairDataset`` hands over, none of them filled."""

    def __init__(self, size: int, batches: int) -> None:
        self.shape, self.batches = (BATCH, size, size, 8), batches

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, _: int) -> torch.Tensor:
        return torch.empty(self.shape, dtype=torch.uint8).share_memory_()


def read_pairs(pairs: PairSet, order: np.ndarray) -> float:
    """Return pairs a second, read into the same arrays again and again."""
    shape = (pairs.size, pairs.size)
    probe, donor = (np.zeros((*shape, 3), dtype=np.uint8) for _ in range(2))
    masks = np.zeros((2, *shape), dtype=np.uint8)
    begun = time.perf_counter()
    for k in order.tolist():
        pairs.read_into(k, probe, donor, masks[0], masks[1])
    return len(order) / (time.perf_counter() - begun)


def read_bytes(pairs: PairSet, order: np.ndarray) -> float:
    """Return pairs a second where only their bytes are read: the limit of ``read_pairs``."""
    canvas = np.zeros((pairs.size, pairs.size, 3), dtype=np.uint8)
    begun = time.perf_counter()
    for k in order.tolist():
        composite, number = divmod(k, len(pairs.kinds))
        kind = pairs.kinds[number]
        if kind != "background":
            pairs.pictures.read_into(int(pairs._donor[composite]), canvas)
        pairs.pictures.read_into(int(pairs._background[composite]), canvas)
        if kind != "negative":
            pairs.blob(composite)
    return len(order) / (time.perf_counter() - begun)


def through_torch(dataset: PairDataset, batches: int, workers: int) -> float:
    """Return pairs a second of shuffled batches, without the first ones."""
    sampler = torch.utils.data.RandomSampler(dataset, num_samples=BATCH * (batches + 8))
    settings = {"num_workers": workers}
    begun = 0.0
    for k, _ in enumerate(pair_loader(dataset, BATCH, sampler=sampler, **settings)):
        if k == 7:
            begun = time.perf_counter()
    return BATCH * batches / (time.perf_counter() - begun)


def hand_over(size: int, batches: int, workers: int) -> float:
    """Return pairs a second of empty batches: the limit of ``through_torch`` with workers."""
    loader = DataLoader(
        EmptyBatches(size, batches + 8), batch_size=None, num_workers=workers, collate_fn=collate
    )
    begun = 0.0
    for k, _ in enumerate(loader):
        if k == 7:
            begun = time.perf_counter()
    return BATCH * batches / (time.perf_counter() - begun)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("set", type=Path)
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pairs = open_pairs(options.set)
    order = np.random.default_rng(0).integers(0, len(pairs), 20_000)
    read_bytes(pairs, np.arange(len(pairs)))  # warms the cache
    limit, reached = read_bytes(pairs, order), read_pairs(pairs, order)
    print(f"{len(pairs):,} pairs of {pairs.size} px, kinds {', '.join(pairs.kinds)}")
    print(f"bytes alone, one process       {limit:9,.0f} pairs/s")
    print(f"pairs, one process             {reached:9,.0f} pairs/s, {reached / limit:.2f} of that")
    dataset = PairDataset([options.set])
    for workers in sorted({0, 1, options.workers}):
        reached = through_torch(dataset, options.batches, workers)
        line = f"torch, batches of {BATCH}, {workers} workers {reached:8,.0f} pairs/s"
        if workers:
            bound = hand_over(pairs.size, options.batches, workers)
            line += f", {reached / bound:.2f} of empty batches' {bound:,.0f}"
        print(line)


if __name__ == "__main__":
    main()
