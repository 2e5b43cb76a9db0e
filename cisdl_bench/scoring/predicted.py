"""Scoring masks and scores that another program computed, against the truth at the masks' size."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from joblib import delayed

from cisdl_bench.adapters.files import is_file
from cisdl_bench.adapters.masks import read_levels
from cisdl_bench.adapters.pairs import ListedPairs
from cisdl_bench.adapters.predictions import EMPTY, Prediction, Predictions
from cisdl_bench.engine import workers
from cisdl_bench.errors import SourceError
from cisdl_bench.metrics.counts import Counts, count
from cisdl_bench.metrics.mask_score import mean_inside
from cisdl_bench.metrics.no_score import Reference, Zones, reference_of
from cisdl_bench.records import Mask, Pairs, Pixels
from cisdl_bench.scoring import nist
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.masks import MaskSink
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.row_lines import PairCounts, Scored
from cisdl_bench.store.atomic import write_json, write_whole

_TASK = 16
_NO_COUNTS = (0,) * 8
NIST_ROWS, NIST_SUMMARY = "nist.csv", "nist.json"


@dataclass(frozen=True)
class Truth:
    """A pair's true masks at any size that a prediction may have.

    Attributes:
        pairs: The set or list.
        index: The pair.
        zones: NIST's no-score zones, for its own data sets.
    """

    pairs: Pairs
    index: int
    zones: Zones

    @cached_property
    def _on_canvas(self) -> tuple[Mask, Mask]:
        if isinstance(self.pairs, ListedPairs):
            return self.pairs.masks(self.index)
        pair = self.pairs[self.index]
        return pair.probe_mask, pair.donor_mask

    @property
    def nist(self) -> bool:
        """Return whether the pairs are NIST's, scored at their pictures' own sizes alone."""
        return isinstance(self.pairs, ListedPairs) and self.pairs.listed.format == "mfc"

    def own_shape(self, side: int) -> tuple[int, int] | None:
        """Return the height and width of a picture as in its file, None where nothing says them.

        Args:
            side: 0 is the probe, 1 the donor.
        """
        if isinstance(self.pairs, ListedPairs):
            return self.pairs.shape(self.index, side)
        return self._canvas

    @property
    def _canvas(self) -> tuple[int, int]:
        return self.pairs.size, self.pairs.size

    def empty_shape(self, side: int) -> tuple[int, int]:
        """Return the height and width of a predicted mask that is empty; see ``own_shape``."""
        return self.own_shape(side) or self._canvas

    def reference(self, side: int, shape: tuple[int, int], where: object) -> Reference | None:
        """Return what is manipulated in a picture; None where nobody knows.

        Args:
            side: 0 is the probe, 1 the donor.
            shape: Height and width of the predicted mask: the picture's own, or the canvas'
                (not for NIST's pairs).
            where: What an error names.

        Raises:
            SourceError: The mask is of neither size, or the true one cannot be read.
        """
        canvas, own = self._canvas, self.own_shape(side) or shape
        if shape != own and (self.nist or shape != canvas):
            wanted = f"a mask of {own[1]} x {own[0]} px, as its picture"
            raise SourceError.expected(
                where,
                wanted if self.nist else f"{wanted}, or {canvas[1]} x {canvas[0]}",
                f"{shape[1]} x {shape[0]}",
                "Write masks at their pictures' sizes",
            )
        if not self.pairs.known(self.index)[side]:
            return None
        everywhere = np.ones(shape, dtype=bool)
        if shape != own or not isinstance(self.pairs, ListedPairs):
            return Reference(self._on_canvas[side], everywhere, 0, 0)
        levels = self.pairs.mask_levels(self.index, side) if self.nist else None
        if levels is None:
            return Reference(self.pairs.truth(self.index, side, shape), everywhere, 0, 0)
        if levels.shape[:2] != shape:
            raise SourceError.expected(
                f"{self.pairs.listed.path}: pair {self.index}",
                f"a true mask of {shape[1]} x {shape[0]} px",
                f"{levels.shape[1]} x {levels.shape[0]}",
                "Correct the index or the reference",
            )
        return reference_of(levels, self.zones, donor=side == 1)


def levels_of(mask: Path | str, dark: bool, shape: tuple[int, int]) -> Pixels:
    """Return a predicted mask, uint8 (H, W), dark manipulated as NIST has it.

    Args:
        mask: Its file, or ``EMPTY``.
        dark: Whether black is manipulated in the file; else white is.
        shape: Of an empty one.

    Raises:
        SourceError: It cannot be read, or has colours.
    """
    if mask == EMPTY:
        return np.full(shape, 255, dtype=np.uint8)
    levels = read_levels(Path(mask), literal=dark)
    if levels.shape[2] > 1 and np.ptp(levels, axis=2).any():
        raise SourceError.expected(mask, "a grey mask", "colours", "Save it with one channel")
    return levels[..., 0] if dark else 255 - levels[..., 0]


def _shape(levels: Pixels) -> tuple[int, int]:
    return levels.shape[0], levels.shape[1]


@dataclass(frozen=True)
class PredictionScorer:
    """Predictions made elsewhere, scored in a detector's place.

    Attributes:
        predictions: Scores and masks of another program.
    """

    predictions: Predictions
    note = ""
    needs_device = False

    @property
    def name(self) -> str:
        """Name of the file that holds them."""
        return self.predictions.name

    @property
    def identity(self) -> str:
        """SHA-256 of that file and of the masks that it names."""
        return self.predictions.identity

    @property
    def about(self) -> dict[str, Any]:
        """Nothing is known of the program that made them."""
        return {}

    def check(self, job: ScoreJob, options: ScoreOptions) -> None:
        """Take every job: a pair without a prediction is refused when the rows are read."""

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

    A listed pair without a prediction is left out where its pictures are missing and the list is
    partial, as paired CASIA's is, or ``--skip-unusable`` allows it.

    Args:
        predictions: What was computed elsewhere.
        pairs: A set or a list.
    """
    if not isinstance(pairs, ListedPairs) or not (pairs.listed.partial or pairs.skip_unusable):
        return pairs
    lacking = [index for index, row in predictions.by_number(pairs).items() if row is None]
    rows = [pairs.row(index) for index in lacking]
    gone = [row for row in rows if not all(p and is_file(p) for p in (row.probe, row.donor))]
    return pairs.without({row.index: "no pictures and no prediction" for row in gone})


def score_predictions(
    predictions: Predictions, pairs: Pairs, indices: Sequence[int], options: ScoreOptions
) -> Iterator[Scored]:
    """Yield the answers to pairs, some at a time, in order.

    Args:
        predictions: What was computed elsewhere.
        pairs: Of what.
        indices: Which pairs, by their numbers.
        options: Threshold, processes, no-score zones.

    Raises:
        SourceError: A pair has no prediction, or a mask cannot be used.
    """
    rows = predictions.of(pairs)
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
    return [(index, answer_of(pairs, index, row, dark, options)) for index, row in rows]


def answer_of(
    pairs: Pairs, index: int, row: Prediction, dark: bool, options: ScoreOptions
) -> PairCounts:
    """Return what one prediction is worth.

    A pixel is tampered where its level, 255 for certainty, is above the threshold.
    """
    if row.masks == (None, None):
        return PairCounts(_NO_COUNTS, (None, None), row.score, (False, False))
    truth = Truth(pairs, index, Zones(*options.zones))
    counts: list[int] = []
    inside: list[float | None] = []
    known: list[bool] = []
    for side, mask in enumerate(row.masks):
        if mask is None:
            counts, inside, known = [*counts, *_NO_COUNTS[:4]], [*inside, None], [*known, False]
            continue
        levels = levels_of(mask, dark, truth.empty_shape(side))
        reference = truth.reference(side, _shape(levels), mask)
        chance = ((255 - levels.astype(np.float32)) / 255).astype(np.float32)
        nobody = np.zeros(levels.shape, dtype=bool)
        target, scored = (reference.target, reference.scored) if reference else (nobody, ~nobody)
        found: Counts = count(chance > options.threshold, target, scored)
        counts += [int(value) for value in found]
        inside.append(float(mean_inside(chance, options.threshold)))
        known.append(reference is not None)
    return PairCounts(tuple(counts), (inside[0], inside[1]), row.score, (known[0], known[1]))


def write_nist(
    predictions: Predictions, pairs: ListedPairs, folder: Path, options: ScoreOptions
) -> dict[str, Any]:
    """Write NIST's own numbers for a system output beside a result; return the summary.

    ``nist.csv`` has a line for each target pair by NIST's names of columns, ``nist.json`` the
    means over all pairs and over those that were not opted out.

    Args:
        predictions: The system output.
        pairs: NIST's pairs.
        folder: The result's folder.
        options: Processes and no-score zones.

    Raises:
        SourceError: A mask cannot be used.
    """
    rows = predictions.of(pairs)
    targets = [index for index in pairs.indices if pairs.label(index) == 1]
    parallel = workers(max(1, options.workers))
    masks: list[dict[str, nist.ScoredMask]] = parallel(
        delayed(_scored)(pairs, index, rows[index], predictions.dark, options) for index in targets
    )
    table = [
        {
            "ProbeFileID": pairs.row(index).probe_name,
            "DonorFileID": pairs.row(index).donor_name,
            "ConfidenceScore": rows[index].score,
            **columns,
        }
        for index, columns in zip(targets, nist.localization_rows(masks), strict=True)
    ]
    names = list(dict.fromkeys(name for line in table for name in line))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    write_whole(folder / NIST_ROWS, text.getvalue().encode())
    opted_in = [
        {side: mask for side, mask in each.items() if rows[index].localizes["pd".index(side)]}
        for index, each in zip(targets, masks, strict=True)
    ]
    detected = [(pairs.label(index), rows[index]) for index in pairs.indices]
    trials = len(pairs.listed.pairs)
    summary: dict[str, Any] = {"zones": dict(zip(("eks", "dks"), options.zones, strict=True))}
    for name, part in (("all", masks), ("opted_in", opted_in)):
        chosen = [(label, row.score) for label, row in detected if name == "all" or row.detects]
        labels, scores = [label for label, _ in chosen], [score for _, score in chosen]
        summary[name] = {
            "detection": nist.detection_summary(labels, scores, trials),
            "localization": nist.localization_summary(part),
        }
    write_json(folder / NIST_SUMMARY, summary)
    return summary


def _scored(
    pairs: ListedPairs, index: int, row: Prediction, dark: bool, options: ScoreOptions
) -> Mapping[str, nist.ScoredMask]:
    truth, found = Truth(pairs, index, Zones(*options.zones)), {}
    for side, (name, mask) in enumerate(zip(nist.SIDES, row.masks, strict=True)):
        if mask is None:
            continue
        levels = levels_of(mask, dark, truth.empty_shape(side))
        reference = truth.reference(side, _shape(levels), mask)
        if reference is not None:
            found[name] = nist.scored_mask(levels, reference)
    return found
