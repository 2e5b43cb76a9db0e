"""Batches of pairs on their way to a device, read ahead while it computes."""

from collections.abc import Generator, Sequence

import numpy as np
import torch

from cisdl_bench.errors import RunError
from cisdl_bench.pairs import Pairs
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.store.torch_view import Batch, PairDataset, pair_loader, read_ahead
from cisdl_bench.store.transfer import pack


class PerturbedPairs(PairDataset):
    """One set's pairs with the probe, or both pictures, perturbed.

    Args:
        pairs: Set or list of pairs.
        perturbation: Perturbation of the pictures.
        donor_too: Whether donors are perturbed as probes are.
    """

    def __init__(self, pairs: Pairs, perturbation: Perturbation, donor_too: bool) -> None:
        super().__init__([pairs])
        self.pairs = pairs
        self.perturbation, self.donor_too = perturbation, donor_too

    def __reduce__(self) -> tuple[object, ...]:
        return PerturbedPairs, (self.pairs, self.perturbation, self.donor_too)

    def places(self, numbers: Sequence[int]) -> list[int]:
        """Return the places of pairs in this dataset by the pairs' numbers.

        Raises:
            RunError: There is no pair of a number.
        """
        known = {number: place for place, number in enumerate(self.pairs.indices)}
        lacking = [number for number in numbers if number not in known]
        if lacking:
            raise RunError.expected(
                self.pairs.name,
                f"pairs out of its {len(known):,} numbers",
                f"pair {lacking[0]}",
                "Score the set again",
            )
        return [known[number] for number in numbers]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return a batch of pairs by their places; ``index`` has their numbers."""
        batch = super().__getitems__(indices)
        numbers = [self.pairs.indices[place] for place in indices]
        batch["index"] = torch.tensor(numbers)
        if self.perturbation.steps:
            for side in ("probe", "donor") if self.donor_too else ("probe",):
                pictures = batch[side].permute(0, 2, 3, 1).numpy()
                for picture, number in zip(pictures, numbers, strict=True):
                    key = f"{self.pairs.name}/{number}/{side}"
                    rounded = np.rint(picture).astype(np.uint8)
                    picture[:] = self.perturbation.apply(rounded, key)
        return batch


def batches(
    dataset: PairDataset, indices: Sequence[int], batch_size: int, workers: int, device: str
) -> Generator[Batch, None, None]:
    """Yield batches of the pairs in these places, on the device.

    Without workers a thread reads ahead. To a GPU goes one pinned block a batch.
    """
    loader = pair_loader(
        dataset, batch_size, sampler=indices, num_workers=workers, persistent_workers=False
    )
    if device.startswith("cuda"):
        for packed in read_ahead(loader, pack):
            yield packed.to(device)
    else:
        yield from iter(loader) if workers else read_ahead(loader, lambda batch: batch)
