"""What scoring keeps of one found mask, and of a pair of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cisdl_bench.metrics.agreement import consistency, quality_score
from cisdl_bench.metrics.counts import count
from cisdl_bench.metrics.mask_score import mean_inside
from cisdl_bench.models.detection import Probability
from cisdl_bench.records import Mask
from cisdl_bench.scoring.row_lines import PairCounts

_NOTHING = (0, 0, 0, 0)


class MaskCounts(NamedTuple):
    """One found mask in numbers.

    Attributes:
        called: Pixels above the threshold, bool (H, W).
        counts: TP, FP, FN, TN.
        inside: Mean probability above the threshold.
        quality: Share of sure pixels, NaN where there is none to be sure of.
        known: Whether the mask was compared with its truth.
    """

    called: Mask
    counts: tuple[int, ...]
    inside: float
    quality: float
    known: bool


def count_mask(
    mask: Probability, threshold: float, target: Mask | None, scored: Mask | None = None
) -> MaskCounts:
    """Return a found mask in numbers.

    Args:
        mask: Probabilities, float32 (H, W).
        threshold: Probability above which a pixel is called tampered.
        target: True mask, bool (H, W); None: not known, and counted as empty.
        scored: Pixels that count, bool (H, W); None: all.
    """
    called = mask > threshold
    truth = np.zeros_like(called) if target is None else target
    counts = count(called, truth) if scored is None else count(called, truth, scored)
    return MaskCounts(
        called,
        tuple(int(n) for n in counts),
        float(mean_inside(mask, threshold)),
        quality_score(mask),
        target is not None,
    )


def join_masks(
    masks: Sequence[MaskCounts | None], own_score: float | None, moved_px: float | None = None
) -> PairCounts:
    """Return what a pair's row holds of both masks.

    Args:
        masks: The probe's and the donor's; None where there is none.
        own_score: The detector's own probability; None where it has none.
        moved_px: Distance of the true regions' centroids; None where it is not known.
    """
    probe, donor = masks
    both = consistency(probe.called, donor.called) if probe and donor else None
    return PairCounts(
        tuple(n for mask in masks for n in (mask.counts if mask else _NOTHING)),
        (probe.inside if probe else None, donor.inside if donor else None),
        own_score,
        (bool(probe and probe.known), bool(donor and donor.known)),
        moved_px,
        (probe.quality if probe else None, donor.quality if donor else None),
        both,
    )
