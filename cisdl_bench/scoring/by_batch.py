"""Scoring a network: batches on a device, counts taken there, one synchronisation a batch."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import torch
from torch import Tensor

from cisdl_bench.metrics.agreement import DOUBTED, SURE, consistency
from cisdl_bench.metrics.displacement import Moments, displacement, moments
from cisdl_bench.models.detection import Detection, PairBatch
from cisdl_bench.models.detectors import Detector
from cisdl_bench.scoring.batches import PerturbedPairs, batches
from cisdl_bench.scoring.by_pair import read_detection
from cisdl_bench.scoring.conventions import count_by_convention
from cisdl_bench.scoring.masks import MaskSink
from cisdl_bench.scoring.options import ScoreOptions, inference
from cisdl_bench.scoring.row_lines import PairCounts, Scored, check_ends
from cisdl_bench.store.torch_view import Batch

#: Columns of ``measure`` for each mask: TP, FP, FN, TN, the sum of probabilities above the
#: threshold, the smallest and the largest probability (NaN where one is), sums of the rows and
#: columns of the true pixels, and how many pixels are sure, and sure or doubted.
MASK_COLUMNS = 11


def measure(detection: Detection[Tensor], batch: Batch, threshold: float) -> Tensor:
    """Return a batch's counts as float64 (N, 2 * MASK_COLUMNS + 1), on its device.

    The columns of the probe's mask, see ``MASK_COLUMNS``, those of the donor's; then the
    detector's own score, 0 where it has none.
    """
    columns = []
    for mask, truth in (
        (detection.probe, batch["probe_mask"]),
        (detection.donor, batch["donor_mask"]),
    ):
        pred, target = mask > threshold, truth != 0
        tp = (pred & target).sum(dim=(1, 2))
        n_pred, n_target = pred.sum(dim=(1, 2)), target.sum(dim=(1, 2))
        size = mask.shape[1] * mask.shape[2]
        inside = torch.where(pred, mask, 0).sum(dim=(1, 2), dtype=torch.float64)
        low, high = mask.flatten(1).aminmax(dim=1)
        columns += [tp, n_pred - tp, n_target - tp, size - n_pred - n_target + tp]
        columns += [inside, low, high]
        rows = torch.arange(target.shape[1], device=target.device)
        places = torch.arange(target.shape[2], device=target.device)
        columns.append((target.sum(dim=2) * rows).sum(dim=1))
        columns.append((target.sum(dim=1) * places).sum(dim=1))
        columns += [(mask > level).sum(dim=(1, 2)) for level in (SURE, DOUBTED)]
    score = detection.score
    no_score = torch.zeros(len(detection.probe), device=detection.probe.device)
    columns.append(score if isinstance(score, Tensor) else no_score)
    return torch.stack([column.to(torch.float64) for column in columns], dim=1)


def read_measures(
    measures: Tensor,
    called: Tensor,
    indices: Sequence[int],
    has_score: bool,
    names: tuple[str, str],
) -> Scored:
    """Return the counts of pairs from what ``measure`` returned; waits for the device.

    Args:
        measures: Answer of ``measure``, float64.
        called: Found masks of probe and donor, bool, (N, 2, H, W).
        indices: Numbers of the pairs, (N,).
        has_score: Whether the detector has a score of its own.
        names: Names of the detector and of the set, for an error.

    Raises:
        ModelError: A mask or a score is NaN or outside 0 to 1.
    """
    scored = []
    masks_of = called.cpu().numpy()
    for index, row, both in zip(indices, measures.tolist(), masks_of, strict=True):
        masks = row[:MASK_COLUMNS], row[MASK_COLUMNS : 2 * MASK_COLUMNS]
        own_score = row[-1]
        ends = [*masks[0][5:7], *masks[1][5:7], *([own_score] if has_score else [])]
        check_ends(names[0], f"{names[1]}/{index}", ends)
        counts: list[int] = []
        inside: list[float] = []
        quality: list[float | None] = []
        regions: list[Moments] = []
        for tp, fp, fn, tn, inside_sum, _, _, row_sum, column_sum, sure, some in masks:
            counts += [int(tp), int(fp), int(fn), int(tn)]
            inside.append(min(1.0, inside_sum / (tp + fp)) if tp + fp else 0.0)
            quality.append(sure / some if some else None)
            regions.append(Moments(int(tp + fn), int(row_sum), int(column_sum)))
        pair_counts = PairCounts(
            tuple(counts),
            (inside[0], inside[1]),
            own_score if has_score else None,
            moved_px=displacement(regions[1], regions[0]),
            quality=(quality[0], quality[1]),
            consistency=consistency(both[0], both[1]),
        )
        scored.append((index, pair_counts))
    return scored


def score_batches(
    detector: Detector,
    dataset: PerturbedPairs,
    indices: Sequence[int],
    options: ScoreOptions,
    masks: MaskSink | None = None,
) -> Iterator[Scored]:
    """Yield the counts of pairs, batch by batch in order.

    On the CPU a network sees one pair at a time, which is no slower and makes a row independent
    of the batch. On a GPU the next batch is under way before the last one is waited for.

    Args:
        detector: Prepared detector that computes on a device.
        dataset: Pairs as they are shown to the detector.
        indices: Numbers of the pairs to score.
        options: Device, precision, threshold and batch size.
        masks: Receiver of the masks; None: they are dropped.

    Raises:
        RunError: There is no pair of a number.
        ModelError: A mask or a score is NaN or outside 0 to 1.
    """
    one_by_one = options.device == "cpu"
    names = detector.name, dataset.pairs.name
    if options.convention:
        yield from _score_by_convention(detector, dataset, indices, options, masks)
        return
    waiting: tuple[Tensor, Tensor, list[int], bool] | None = None
    places = dataset.places(indices)
    source = batches(dataset, places, options.batch_size, options.workers, options.device)
    with inference(options), closing(source):
        for batch in source:
            numbers = batch["index"].tolist()
            step = 1 if one_by_one else len(numbers)
            measures, called = [], []
            has_score = False
            for start in range(0, len(numbers), step):
                part = slice(start, start + step)
                shown = {name: value[part] for name, value in batch.items()}
                detection = _detect(detector, shown, options)
                has_score = detection.score is not None
                if masks is not None:
                    _save(masks, numbers[part], detection)
                measures.append(measure(detection, shown, options.threshold))
                both = torch.stack((detection.probe, detection.donor), dim=1)
                called.append(both > options.threshold)
            if waiting is not None:
                yield read_measures(*waiting, names)
            waiting = torch.cat(measures), torch.cat(called), numbers, has_score
            if one_by_one:
                yield read_measures(*waiting, names)
                waiting = None
        if waiting is not None:
            yield read_measures(*waiting, names)


def _score_by_convention(
    detector: Detector,
    dataset: PerturbedPairs,
    indices: Sequence[int],
    options: ScoreOptions,
    masks: MaskSink | None,
) -> Iterator[Scored]:
    """Yield the counts of pairs at their pictures' own sizes, which are taken on the CPU."""
    pairs = dataset.pairs
    places = dataset.places(indices)
    source = batches(dataset, places, options.batch_size, options.workers, options.device)
    with inference(options), closing(source):
        for batch in source:
            numbers = batch["index"].tolist()
            step = 1 if options.device == "cpu" else len(numbers)
            scored: Scored = []
            for start in range(0, len(numbers), step):
                part = slice(start, start + step)
                shown = {name: value[part] for name, value in batch.items()}
                detection = _detect(detector, shown, options)
                if masks is not None:
                    _save(masks, numbers[part], detection)
                for place, index in enumerate(numbers[part]):
                    alone = slice(place, place + 1)
                    score = detection.score
                    one = Detection(
                        detection.probe[alone],
                        detection.donor[alone],
                        score[alone] if isinstance(score, Tensor) else None,
                    )
                    answer = read_detection(one, detector.name, f"{pairs.name}/{index}")
                    own_score = None if answer.score is None else float(answer.score)
                    both = answer.probe, answer.donor
                    counts = count_by_convention(pairs, index, both, own_score, options)
                    regions = [
                        moments(shown[f"{side}_mask"][place].cpu().numpy() != 0)
                        for side in ("donor", "probe")
                    ]
                    scored.append((index, counts._replace(moved_px=displacement(*regions))))
            yield scored


def _save(masks: MaskSink, indices: Sequence[int], detection: Detection[Tensor]) -> None:
    for side, maps in (("probe", detection.probe), ("donor", detection.donor)):
        for index, mask in zip(indices, maps.cpu(), strict=True):
            masks.save(index, side, mask.numpy())


def _detect(detector: Detector, batch: Batch, options: ScoreOptions) -> Detection[Tensor]:
    """Return the detection of a batch; a compiled network gets full batches, of one shape."""
    probe, donor = batch["probe"], batch["donor"]
    n = len(probe)
    full = 1 if options.device == "cpu" else options.batch_size
    if options.compile and n < full:
        probe, donor = (torch.cat((x, x[-1:].expand(full - n, -1, -1, -1))) for x in (probe, donor))
    detection = detector.detect(PairBatch(probe, donor))
    score = detection.score[:n] if isinstance(detection.score, Tensor) else None
    return Detection(detection.probe[:n].float(), detection.donor[:n].float(), score)
