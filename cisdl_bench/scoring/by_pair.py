"""Scoring a detector that looks at one pair at a time, in processes of its own."""

from collections.abc import Iterator, Sequence

import numpy as np
from joblib import delayed

from cisdl_bench.engine import workers
from cisdl_bench.metrics.counts import count
from cisdl_bench.metrics.displacement import displacement, moments
from cisdl_bench.metrics.mask_score import mean_inside
from cisdl_bench.models.pair_detector import Masks, PairDetector, View
from cisdl_bench.records import Pairs
from cisdl_bench.scoring.masks import MaskSink
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.rows import PairCounts, nan_answer

_TASK = 16  # pairs at most; a short list is shared among the processes


def look(
    detector: PairDetector,
    pairs: Pairs,
    index: int,
    perturbation: Perturbation,
    options: ScoreOptions,
) -> tuple[Masks, PairCounts]:
    """Return a detector's masks of one pair, and what they are worth."""
    pair = pairs[index]
    name = f"{pairs.name}/{index}"
    probe = perturbation.apply(pair.probe, f"{name}/probe")
    donor = pair.donor
    if options.perturb_donor:
        donor = perturbation.apply(donor, f"{name}/donor")
    truth = (pair.probe_mask, pair.donor_mask)
    masks = detector.look(View(probe, donor, name, truth if detector.sees_truth else None))
    if any(np.isnan(mask).any() for mask in masks[:2]) or masks.score != masks.score:
        raise nan_answer(detector.name, name)
    called = [mask > options.threshold for mask in (masks.probe, masks.donor)]
    counts = [count(pred, target) for pred, target in zip(called, truth, strict=True)]
    inside = [float(mean_inside(mask, options.threshold)) for mask in (masks.probe, masks.donor)]
    numbers = tuple(int(np.asarray(value)) for each in counts for value in each)
    moved = displacement(moments(pair.donor_mask), moments(pair.probe_mask))
    return masks, PairCounts(numbers, (inside[0], inside[1]), masks.score, moved_px=moved)


def score_pairs(
    detector: PairDetector,
    pairs: Pairs,
    perturbation: Perturbation,
    indices: Sequence[int],
    options: ScoreOptions,
    masks: MaskSink | None = None,
) -> Iterator[list[tuple[int, PairCounts]]]:
    """Yield the answers to pairs, some at a time, in order.

    Args:
        detector: What looks at them.
        pairs: The set.
        perturbation: What happens to the pictures before.
        indices: Which pairs, by their numbers.
        options: What a user chose; ``workers`` 0 and 1 are this process.
        masks: Where masks are written; None does not.
    """
    size = min(_TASK, -(-len(indices) // (2 * max(1, options.workers)))) or 1
    tasks = [indices[start : start + size] for start in range(0, len(indices), size)]
    jobs = (delayed(_task)(detector, pairs, perturbation, t, options, masks) for t in tasks)
    parallel = workers(
        max(1, options.workers),
        return_as="generator",
        pre_dispatch="3*n_jobs",
        batch_size=1,
    )
    yield from parallel(jobs)


def _task(
    detector: PairDetector,
    pairs: Pairs,
    perturbation: Perturbation,
    indices: Sequence[int],
    options: ScoreOptions,
    masks: MaskSink | None,
) -> list[tuple[int, PairCounts]]:
    answers = []
    for index in indices:
        found, answer = look(detector, pairs, index, perturbation, options)
        if masks is not None:
            masks.save(index, "probe", found.probe)
            masks.save(index, "donor", found.donor)
        answers.append((index, answer))
    return answers
