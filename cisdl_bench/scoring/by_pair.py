"""Scoring a detector that needs no device, one pair at a time in processes of its own."""

from collections.abc import Iterator, Sequence

from joblib import delayed
from torch import Tensor

from cisdl_bench.engine import workers
from cisdl_bench.metrics.displacement import displacement, moments
from cisdl_bench.models.detection import Detection, PairBatch, Probability, View
from cisdl_bench.models.detectors import Detector
from cisdl_bench.scoring.conventions import count_by_convention
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.mask_counts import count_mask, join_masks
from cisdl_bench.scoring.masks import MaskSink
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.row_lines import PairCounts, Scored, check_ends

_TASK = 16  # pairs at most; a short list is shared among the processes


def score_pair(
    detector: Detector, job: ScoreJob, index: int, options: ScoreOptions
) -> tuple[Detection[Probability], PairCounts]:
    """Return a detector's masks of one pair, and their counts."""
    pair = job.pairs.pair(index)
    name = f"{job.pairs.name}/{index}"
    probe = job.perturbation.apply(pair.probe, f"{name}/probe")
    donor = pair.donor
    if options.perturb_donor:
        donor = job.perturbation.apply(donor, f"{name}/donor")
    truth = (pair.probe_mask, pair.donor_mask)
    view = View(probe, donor, name, truth if detector.sees_truth else None)
    detection = read_detection(detector.detect(PairBatch.from_view(view)), detector.name, name)
    moved_px = displacement(moments(pair.donor_mask), moments(pair.probe_mask))
    own_score = None if detection.score is None else float(detection.score)
    if options.convention:
        masks = detection.probe, detection.donor
        by_convention = count_by_convention(job.pairs, index, masks, own_score, options)
        return detection, by_convention._replace(moved_px=moved_px)
    counted = [
        count_mask(mask, options.threshold, target)
        for mask, target in ((detection.probe, truth[0]), (detection.donor, truth[1]))
    ]
    return detection, join_masks(counted, own_score, moved_px)._replace(known=None)


def read_detection(batch: Detection[Tensor], detector: str, pair: str) -> Detection[Probability]:
    """Return the detection of a batch of one pair as arrays on the CPU.

    Args:
        batch: Masks and score of one pair, tensors on any device.
        detector: Name of the detector, for an error.
        pair: Name of the pair, for an error.

    Raises:
        ModelError: A mask or the score is NaN or outside 0 to 1.
    """
    probe, donor = (mask[0].float().cpu().numpy() for mask in (batch.probe, batch.donor))
    score = float(batch.score[0]) if isinstance(batch.score, Tensor) else None
    ends = [float(end) for mask in (probe, donor) for end in (mask.min(), mask.max())]
    check_ends(detector, pair, ends if score is None else [*ends, score])
    if min(ends) < 0 or max(ends) > 1:  # by rounding
        probe, donor = probe.clip(0, 1), donor.clip(0, 1)
    return Detection(probe, donor, score)


def score_pairs(
    detector: Detector,
    job: ScoreJob,
    indices: Sequence[int],
    options: ScoreOptions,
    masks: MaskSink | None = None,
) -> Iterator[Scored]:
    """Yield the counts of pairs, some at a time, in order.

    Args:
        detector: Prepared detector that needs no device; it pickles.
        job: Set and perturbation.
        indices: Numbers of the pairs to score.
        options: Threshold and number of workers; 0 and 1 are this process.
        masks: Receiver of the masks; None: they are dropped.
    """
    size = min(_TASK, -(-len(indices) // (2 * max(1, options.workers)))) or 1
    tasks = [indices[start : start + size] for start in range(0, len(indices), size)]
    parallel = workers(
        max(1, options.workers), return_as="generator", pre_dispatch="3*n_jobs", batch_size=1
    )
    yield from parallel(delayed(_score_task)(detector, job, task, options, masks) for task in tasks)


def _score_task(
    detector: Detector,
    job: ScoreJob,
    indices: Sequence[int],
    options: ScoreOptions,
    masks: MaskSink | None,
) -> Scored:
    scored = []
    for index in indices:
        detection, pair_counts = score_pair(detector, job, index, options)
        if masks is not None:
            masks.save(index, "probe", detection.probe)
            masks.save(index, "donor", detection.donor)
        scored.append((index, pair_counts))
    return scored
