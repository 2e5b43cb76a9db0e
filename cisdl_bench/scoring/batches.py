"""Batches of pairs on their way to a device, read ahead while it computes."""

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import torch

from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.store.torch_view import Batch, PairDataset, pair_loader

_AHEAD = 3


class PerturbedPairs(PairDataset):
    """One set's pairs with the probe, or both pictures, perturbed.

    Args:
        path: The set's folder.
        perturbation: What happens to them.
        donor_too: Whether it happens to the donor.
    """

    def __init__(self, path: Path, perturbation: Perturbation, donor_too: bool) -> None:
        super().__init__([path])
        self.perturbation, self.donor_too = perturbation, donor_too

    def __reduce__(self) -> tuple[object, ...]:
        return PerturbedPairs, (self.sets[0].path, self.perturbation, self.donor_too)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return a batch of pairs."""
        batch = super().__getitems__(indices)
        if self.perturbation.steps:
            for side in ("probe", "donor") if self.donor_too else ("probe",):
                pictures = batch[side].permute(0, 2, 3, 1).numpy()
                for picture, index in zip(pictures, indices, strict=True):
                    key = f"{self.sets[0].path.name}/{index}/{side}"
                    picture[:] = self.perturbation.apply(picture, key)
        return batch


def batches(
    dataset: PairDataset, indices: Sequence[int], batch_size: int, workers: int, device: str
) -> Generator[Batch, None, None]:
    """Yield batches of the pairs with these numbers, on the device.

    Without workers a thread reads ahead. On a GPU, batches are pinned and copied without
    waiting.
    """
    pinned = device.startswith("cuda")
    loader = pair_loader(
        dataset,
        batch_size,
        sampler=indices,
        num_workers=workers,
        pin_memory=pinned and workers > 0,
        persistent_workers=False,
    )
    source = iter(loader) if workers else _ahead(loader, pinned)
    for batch in source:
        yield {
            name: value.to(device, non_blocking=True) if name != "index" else value
            for name, value in batch.items()
        }


def _ahead(loader: "torch.utils.data.DataLoader[Batch]", pinned: bool) -> Iterator[Batch]:
    """Yield what a loader yields, read by a thread of its own."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(_AHEAD)
    stopped = threading.Event()

    def offer(item: Batch | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def read() -> None:
        try:
            for batch in loader:
                if pinned:
                    batch = {name: value.pin_memory() for name, value in batch.items()}
                offer(batch)
                if stopped.is_set():
                    return
            offer(None)
        except BaseException as error:  # handed to the main thread, which raises it
            offer(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
