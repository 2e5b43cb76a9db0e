"""Scoring a network: batches on a device, counts taken there, one synchronisation a batch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import torch
from torch import Tensor, nn

from cisdl_bench.models.detection import Detection
from cisdl_bench.scoring.batches import PerturbedPairs, batches
from cisdl_bench.scoring.masks import MaskSink
from cisdl_bench.scoring.rows import Answer
from cisdl_bench.scoring.settings import Settings, computing
from cisdl_bench.store.torch_view import Batch


def measured(found: Detection, batch: Batch, threshold: float) -> Tensor:
    """Return a batch's answers as float64 (N, 11), on its device.

    Columns: TP, FP, FN, TN, then the sum of probabilities above the threshold, of the probe and
    of the donor; then the detector's own score, NaN where it has none.
    """
    columns = []
    for mask, target in ((found.probe, batch["probe_mask"]), (found.donor, batch["donor_mask"])):
        called, true = mask > threshold, target != 0
        tp = (called & true).sum(dim=(1, 2))
        positive, real = called.sum(dim=(1, 2)), true.sum(dim=(1, 2))
        size = mask.shape[1] * mask.shape[2]
        inside = torch.where(called, mask, 0).sum(dim=(1, 2), dtype=torch.float64)
        columns += [tp, positive - tp, real - tp, size - positive - real + tp, inside]
    nan = torch.full((len(found.probe),), torch.nan, device=found.probe.device)
    columns.append(nan if found.score is None else found.score)
    return torch.stack([column.to(torch.float64) for column in columns], dim=1)


def answers_of(measures: Tensor) -> list[Answer]:
    """Return the answers of what ``measured`` returned; waits for the device."""
    answers = []
    for row in measures.tolist():
        counts = (*map(int, row[:4]), *map(int, row[5:9]))
        called = counts[0] + counts[1], counts[4] + counts[5]
        inside = (
            row[4] / called[0] if called[0] else 0.0,
            row[9] / called[1] if called[1] else 0.0,
        )
        own = None if row[10] != row[10] else row[10]
        answers.append(Answer(counts, inside, own))
    return answers


def score_batches(
    network: nn.Module,
    dataset: PerturbedPairs,
    indices: Sequence[int],
    settings: Settings,
    masks: MaskSink | None = None,
) -> Iterator[list[tuple[int, Answer]]]:
    """Yield the answers to pairs, batch by batch in order.

    On the CPU a network sees one pair at a time, which is no slower and makes a row independent
    of the batch. On a GPU the next batch is under way before the last one is waited for.

    Args:
        network: On its device, in evaluation mode.
        dataset: The pairs.
        indices: Which of them, by their numbers.
        settings: What a user chose.
        masks: Where masks are written; None does not.

    Raises:
        RunError: There is no pair of a number.
    """
    plain: Any = network.detect
    detect = torch.compile(plain) if settings.compile else plain
    alone = settings.device == "cpu"
    waiting: tuple[list[int], Tensor] | None = None
    places = dataset.places(indices)
    source = batches(dataset, places, settings.batch_size, settings.workers, settings.device)
    with computing(settings), closing(source):
        for batch in source:
            numbers = batch["index"].tolist()
            parts = range(len(numbers)) if alone else [slice(None)]
            found = []
            for part in parts:
                piece = slice(part, part + 1) if isinstance(part, int) else part
                cut = {name: value[piece] for name, value in batch.items()}
                detection = _detected(detect, cut, settings)
                if masks is not None:
                    for side, found_masks in (
                        ("probe", detection.probe),
                        ("donor", detection.donor),
                    ):
                        for number, mask in zip(numbers[piece], found_masks.cpu(), strict=True):
                            masks.save(number, side, mask.numpy())
                found.append(measured(detection, cut, settings.threshold))
            if waiting is not None:
                yield list(zip(waiting[0], answers_of(waiting[1]), strict=True))
            waiting = numbers, torch.cat(found)
            if alone:
                yield list(zip(waiting[0], answers_of(waiting[1]), strict=True))
                waiting = None
        if waiting is not None:
            yield list(zip(waiting[0], answers_of(waiting[1]), strict=True))


def _detected(detect: Callable[..., Detection], batch: Batch, settings: Settings) -> Detection:
    """Return the detection of a batch; compiled ones are filled up, so that one shape is built."""
    probe, donor = batch["probe"], batch["donor"]
    n = len(probe)
    full = 1 if settings.device == "cpu" else settings.batch_size
    if settings.compile and n < full:
        probe, donor = (torch.cat((x, x[-1:].expand(full - n, -1, -1, -1))) for x in (probe, donor))
    found = detect(probe, donor)
    score = None if found.score is None else found.score[:n]
    return Detection(found.probe[:n].float(), found.donor[:n].float(), score)
