"""Scoring masks and scores that another program computed, against the truth at the masks' size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import delayed

from cisdl_bench.adapters.masks import read_levels
from cisdl_bench.adapters.predictions import EMPTY, Prediction, Predictions
from cisdl_bench.engine import workers
from cisdl_bench.errors import SourceError
from cisdl_bench.models.detection import Probability
from cisdl_bench.pairs import Pairs, Reference
from cisdl_bench.records import Pixels
from cisdl_bench.scoring.conventions import check_convention, count_by_convention
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.mask_counts import MaskCounts, count_mask, join_masks
from cisdl_bench.scoring.masks import MaskSink
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.row_lines import PairCounts, Scored

_TASK = 16
_NO_COUNTS = (0,) * 8


def read_predicted(pairs: Pairs, index: int, side: int, mask: Path | str, *, dark: bool) -> Pixels:
    """Return a predicted mask, uint8 (H, W), dark manipulated as NIST has it.

    Args:
        pairs: The pairs that are scored.
        index: The pair's number.
        side: Place in ``records.SIDES``: 0 is the probe, 1 the donor.
        mask: File of the mask, or ``EMPTY``.
        dark: Whether black is manipulated in the file, not white.

    Raises:
        SourceError: The mask cannot be read, has colours, or is of another size than its picture.
    """
    canvas = (pairs.size, pairs.size)
    if mask == EMPTY:
        return np.full(pairs.own_shape(index, side) or canvas, 255, dtype=np.uint8)
    levels = read_levels(Path(mask), literal=dark)
    if levels.shape[2] > 1 and np.ptp(levels, axis=2).any():
        raise SourceError.expected(mask, "a grey mask", "colours", "Save it with one channel")
    shapes = pairs.predicted_shapes(index, side)
    if shapes and levels.shape[:2] not in shapes:
        sizes = [f"{width} x {height}" for height, width in shapes]
        alternatives = "".join(f", or {size}" for size in sizes[1:])
        raise SourceError.expected(
            mask,
            f"a mask of {sizes[0]} px, as its picture{alternatives}",
            f"{levels.shape[1]} x {levels.shape[0]}",
            "Write masks at their pictures' sizes",
        )
    return levels[..., 0] if dark else 255 - levels[..., 0]


def find_reference(
    pairs: Pairs, index: int, side: int, levels: Pixels, options: ScoreOptions
) -> Reference | None:
    """Return what a predicted mask is compared with; None where the truth is not known."""
    return pairs.reference(index, side, (levels.shape[0], levels.shape[1]), options.zones)


@dataclass(frozen=True)
class PredictionScorer:
    """Predictions made elsewhere, scored in a detector's place.

    Attributes:
        predictions: Scores and masks of another program.
        label: Name that results are filed under; empty takes the file's.
    """

    predictions: Predictions
    label: str = ""
    note = ""
    needs_device = False

    @property
    def name(self) -> str:
        """Name of the file that holds them."""
        return self.label or self.predictions.name

    @property
    def identity(self) -> str:
        """SHA-256 of that file and of the masks that it names."""
        return self.predictions.identity

    @property
    def about(self) -> dict[str, Any]:
        """Nothing is known of the program that made them."""
        return {}

    def check(self, job: ScoreJob, options: ScoreOptions) -> None:
        """Refuse a convention that the pairs cannot have.

        A pair without a prediction is refused when the rows are read.
        """
        check_convention(job.pairs, options)

    def score(
        self,
        job: ScoreJob,
        indices: Sequence[int],
        options: ScoreOptions,
        masks: MaskSink | None,
    ) -> Iterator[Scored]:
        """Yield the counts of pairs; the masks are there already."""
        return score_predictions(self.predictions, job.pairs, indices, options)


def with_predictions(predictions: Predictions, pairs: Pairs) -> Pairs:
    """Return the pairs that predictions are to be scored on.

    A pair without a prediction is left out where its pictures are missing and the pairs are
    partial, as paired CASIA's are, or ``--skip-unusable`` allows it.

    Args:
        predictions: Predictions of another program.
        pairs: A set or a list.
    """
    if not pairs.partial:
        return pairs
    lacking = [index for index, row in predictions.by_number(pairs).items() if row is None]
    return pairs.without_missing(lacking, "no pictures and no prediction")


def score_predictions(
    predictions: Predictions, pairs: Pairs, indices: Sequence[int], options: ScoreOptions
) -> Iterator[Scored]:
    """Yield the answers to pairs, some at a time, in order.

    Args:
        predictions: Predictions of another program.
        pairs: The pairs that are scored.
        indices: Numbers of the pairs to score.
        options: Options of the run: threshold, processes and no-score zones are used.

    Raises:
        SourceError: A pair has no prediction, or a mask cannot be used.
    """
    rows = predictions.match(pairs)
    tasks = [indices[start : start + _TASK] for start in range(0, len(indices), _TASK)]
    parallel = workers(
        max(1, options.workers),
        return_as="generator",
        pre_dispatch="3*n_jobs",
        batch_size=1,
    )
    yield from parallel(
        delayed(_task)(pairs, [(index, rows[index]) for index in task], predictions.dark, options)
        for task in tasks
    )


def _task(
    pairs: Pairs, rows: Sequence[tuple[int, Prediction]], dark: bool, options: ScoreOptions
) -> Scored:
    return [(index, score_prediction(pairs, index, row, dark, options)) for index, row in rows]


def score_prediction(
    pairs: Pairs, index: int, row: Prediction, dark: bool, options: ScoreOptions
) -> PairCounts:
    """Return what one prediction is worth.

    A pixel is tampered where its level, 255 for certainty, is above the threshold.
    """
    if row.masks == (None, None):
        return PairCounts(_NO_COUNTS, (None, None), row.score, (False, False))
    if options.convention:
        masks = [
            _read_chance(pairs, index, side, mask, dark) for side, mask in enumerate(row.masks)
        ]
        return count_by_convention(pairs, index, masks, row.score, options)
    counted: list[MaskCounts | None] = []
    for side, mask in enumerate(row.masks):
        if mask is None:
            counted.append(None)
            continue
        levels = read_predicted(pairs, index, side, mask, dark=dark)
        reference = find_reference(pairs, index, side, levels, options)
        truth = (reference.target, reference.scored) if reference else (None, None)
        counted.append(count_mask(_as_chance(levels), options.threshold, *truth))
    return join_masks(counted, row.score)


def _read_chance(
    pairs: Pairs, index: int, side: int, mask: Path | str | None, dark: bool
) -> Probability | None:
    if mask is None:
        return None
    return _as_chance(read_predicted(pairs, index, side, mask, dark=dark))


def _as_chance(levels: Pixels) -> Probability:
    """Return a mask, dark manipulated, as probabilities, float32 (H, W)."""
    return ((255 - levels.astype(np.float32)) / 255).astype(np.float32)
