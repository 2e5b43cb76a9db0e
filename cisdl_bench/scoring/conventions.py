"""Named conventions of data sets: how masks are counted where their authors say it.

A convention counts at the pictures' own sizes: masks on the canvas are brought there bilinearly.
Results of one have the numbers of ``registry.POOLED`` beside all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cisdl_bench.errors import RunError
from cisdl_bench.models.detection import Probability
from cisdl_bench.pairs import Pairs
from cisdl_bench.scoring.mask_counts import MaskCounts, count_mask, join_masks
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.row_lines import PairCounts


@dataclass(frozen=True)
class ScoringConvention:
    """How a data set's authors count.

    Attributes:
        least_frac: Share of its picture below which a found mask is erased before it is counted.
        note: Remark that goes into results and tables.
    """

    least_frac: float
    note: str


#: BioFors, external duplication detection: Sabir et al., ICCV 2021, and their evaluation code.
CONVENTIONS = {
    "biofors": ScoringConvention(
        0.1,
        "BioFors' convention: at the panels' own sizes, found masks of less than 10% of "
        "their panel erased, counts pooled over both masks of all pairs",
    ),
}


def check_convention(pairs: Pairs, options: ScoreOptions) -> None:
    """Refuse a convention for pairs that have lost their pictures' own sizes.

    Args:
        pairs: Pairs that are to be scored.
        options: Options of the run, with its convention.

    Raises:
        RunError: The pairs are a set on a canvas, generated or imported.
    """
    if options.convention and "skip_unusable" not in pairs.origin:  # which lists alone have
        raise RunError(
            f"--convention {options.convention} counts at the pictures' own sizes, and "
            f"{pairs.name} has them on a canvas alone. Score the data set's own folder."
        )


def resize_probability(mask: Probability, shape: tuple[int, int]) -> Probability:
    """Return a mask of probabilities at another size, bilinearly, float32 (H, W), 0 to 1."""
    if mask.shape == shape:
        return mask
    resized = cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.clip(resized, 0, 1).astype(np.float32)


def count_by_convention(
    pairs: Pairs,
    index: int,
    masks: Sequence[Probability | None],
    own_score: float | None,
    options: ScoreOptions,
) -> PairCounts:
    """Return the counts of one pair as ``options.convention`` has them.

    Args:
        pairs: The pairs that are scored.
        index: The pair's number.
        masks: Found masks of probe and donor, float32 (H, W); None where there is none.
        own_score: The detector's own probability; None where it has none.
        options: Convention, threshold and no-score zones.

    Raises:
        SourceError: A true mask cannot be read.
    """
    convention = CONVENTIONS[options.convention]
    counted: list[MaskCounts | None] = []
    for side, answer in enumerate(masks):
        if answer is None:
            counted.append(None)
            continue
        height, width = pairs.own_shape(index, side) or answer.shape
        mask = resize_probability(answer, (height, width))
        called = mask > options.threshold
        if np.count_nonzero(called) < convention.least_frac * called.size:
            mask = np.zeros_like(mask)
        reference = pairs.reference(index, side, (height, width), options.zones)
        truth = (reference.target, reference.scored) if reference else (None, None)
        counted.append(count_mask(mask, options.threshold, *truth))
    return join_masks(counted, own_score)
