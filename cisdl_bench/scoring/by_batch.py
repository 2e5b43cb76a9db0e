"""Scoring a network: batches on a device, counts taken there, one synchronisation a batch."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import torch
from torch import Tensor, nn

from cisdl_bench.metrics.displacement import Moments, displacement
from cisdl_bench.models.detection import Detection
from cisdl_bench.scoring.batches import PerturbedPairs, batches
from cisdl_bench.scoring.masks import MaskSink
from cisdl_bench.scoring.options import ScoreOptions, inference
from cisdl_bench.scoring.rows import PairCounts, nan_answer
from cisdl_bench.store.torch_view import Batch

#: Columns of ``measured`` of each mask: TP, FP, FN, TN, the sum of probabilities above the
#: threshold and of all (NaN where one is), and sums of the rows and columns of the true pixels.
_OF_MASK = 8


def measured(found: Detection, batch: Batch, threshold: float) -> Tensor:
    """Return a batch's answers as float64 (N, 17), on its device.

    Eight columns of the probe's mask, see ``_OF_MASK``, eight of the donor's; then the detector's
    own score, 0 where it has none.
    """
    columns = []
    for mask, target in ((found.probe, batch["probe_mask"]), (found.donor, batch["donor_mask"])):
        called, true = mask > threshold, target != 0
        tp = (called & true).sum(dim=(1, 2))
        positive, real = called.sum(dim=(1, 2)), true.sum(dim=(1, 2))
        size = mask.shape[1] * mask.shape[2]
        inside = torch.where(called, mask, 0).sum(dim=(1, 2), dtype=torch.float64)
        whole = mask.sum(dim=(1, 2), dtype=torch.float64)
        places = [
            (true.sum(dim=axis) * torch.arange(true.shape[3 - axis], device=true.device)).sum(dim=1)
            for axis in (2, 1)
        ]
        columns += [tp, positive - tp, real - tp, size - positive - real + tp, inside, whole]
        columns += places
    none = torch.zeros(len(found.probe), device=found.probe.device)
    columns.append(none if found.score is None else found.score)
    return torch.stack([column.to(torch.float64) for column in columns], dim=1)


def read_measures(
    measures: Tensor, numbers: Sequence[int], scored: bool, names: tuple[str, str]
) -> list[tuple[int, PairCounts]]:
    """Return the answers of what ``measured`` returned, by the pairs' numbers.

    Waits for the device.

    Args:
        measures: float64, (N, 17).
        numbers: The pairs' numbers, (N,).
        scored: Whether the detector has a score of its own.
        names: Of the detector and of the set, for an error.

    Raises:
        ModelError: A mask or a score is NaN.
    """
    answers = []
    for number, row in zip(numbers, measures.tolist(), strict=True):
        masks = [row[start : start + _OF_MASK] for start in (0, _OF_MASK)]
        if any(math.isnan(value) for value in (masks[0][5], masks[1][5], row[-1])):
            raise nan_answer(names[0], f"{names[1]}/{number}")
        counts = tuple(int(value) for mask in masks for value in mask[:4])
        inside = [mask[4] / called if (called := mask[0] + mask[1]) else 0.0 for mask in masks]
        regions = [Moments(int(m[0] + m[2]), int(m[6]), int(m[7])) for m in masks]
        moved = displacement(regions[1], regions[0])
        own = row[-1] if scored else None
        answers.append((number, PairCounts(counts, (inside[0], inside[1]), own, moved_px=moved)))
    return answers


def score_batches(
    network: nn.Module,
    dataset: PerturbedPairs,
    indices: Sequence[int],
    options: ScoreOptions,
    masks: MaskSink | None = None,
) -> Iterator[list[tuple[int, PairCounts]]]:
    """Yield the answers to pairs, batch by batch in order.

    On the CPU a network sees one pair at a time, which is no slower and makes a row independent
    of the batch. On a GPU the next batch is under way before the last one is waited for.

    Args:
        network: On its device, in evaluation mode.
        dataset: The pairs.
        indices: Which of them, by their numbers.
        options: What a user chose.
        masks: Where masks are written; None does not.

    Raises:
        RunError: There is no pair of a number.
        ModelError: A mask or a score is NaN.
    """
    plain: Any = network.detect
    detect = torch.compile(plain) if options.compile else plain
    alone = options.device == "cpu"
    names = str(getattr(network, "architecture", type(network).__name__)), dataset.pairs.name
    waiting: tuple[Tensor, list[int], bool] | None = None
    places = dataset.places(indices)
    source = batches(dataset, places, options.batch_size, options.workers, options.device)
    with inference(options), closing(source):
        for batch in source:
            numbers = batch["index"].tolist()
            parts = range(len(numbers)) if alone else [slice(None)]
            found, scored = [], False
            for part in parts:
                piece = slice(part, part + 1) if isinstance(part, int) else part
                cut = {name: value[piece] for name, value in batch.items()}
                detection = _detected(detect, cut, options)
                scored = detection.score is not None
                if masks is not None:
                    for side, found_masks in (
                        ("probe", detection.probe),
                        ("donor", detection.donor),
                    ):
                        for number, mask in zip(numbers[piece], found_masks.cpu(), strict=True):
                            masks.save(number, side, mask.numpy())
                found.append(measured(detection, cut, options.threshold))
            if waiting is not None:
                yield read_measures(*waiting, names)
            waiting = torch.cat(found), numbers, scored
            if alone:
                yield read_measures(*waiting, names)
                waiting = None
        if waiting is not None:
            yield read_measures(*waiting, names)


def _detected(detect: Callable[..., Detection], batch: Batch, options: ScoreOptions) -> Detection:
    """Return the detection of a batch; compiled ones are filled up, so that one shape is built."""
    probe, donor = batch["probe"], batch["donor"]
    n = len(probe)
    full = 1 if options.device == "cpu" else options.batch_size
    if options.compile and n < full:
        probe, donor = (torch.cat((x, x[-1:].expand(full - n, -1, -1, -1))) for x in (probe, donor))
    found = detect(probe, donor)
    score = None if found.score is None else found.score[:n]
    return Detection(found.probe[:n].float(), found.donor[:n].float(), score)
