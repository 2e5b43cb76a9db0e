"""NIST's own numbers for a submission to its splice task (MediScore), by their own names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cisdl_bench.metrics import detection, localization
from cisdl_bench.metrics.counts import Counts
from cisdl_bench.nist import detection as nist_detection
from cisdl_bench.nist import sweep
from cisdl_bench.pairs import Reference
from cisdl_bench.records import Pixels

#: A pixel is manipulated at this level and below, in ``Actual`` numbers: probability above 0.5.
ACTUAL = 127
#: How NIST's names of columns begin for the probe's and for the donor's mask.
PREFIXES = ("p", "d")
_METRICS = ("NMM", "MCC", "BWL1")

Row = dict[str, Any]


@dataclass(frozen=True)
class ScoredMask:
    """One mask of a target pair as NIST scores it.

    Attributes:
        sweep: Counts of the mask at every threshold.
        grey_loss: Mean grey distance from the reference, NIST's GWL1.
        band_px: Number of pixels in the no-score zone.
        grey_px: Number of pixels left out because the reference is grey there.
    """

    sweep: sweep.Sweep
    grey_loss: float
    band_px: int
    grey_px: int


def score_mask(levels: Pixels, reference: Reference) -> ScoredMask:
    """Return a system's mask, uint8 (H, W), against its reference."""
    target, scored = reference.target, reference.scored
    counts = sweep.sweep(levels, target, scored)
    loss = sweep.grey_loss(levels, target, scored)
    band_px, grey_px = getattr(reference, "band_px", 0), getattr(reference, "grey_px", 0)
    return ScoredMask(counts, loss, band_px, grey_px)


def _values(prefix: str, counts: Counts) -> Row:
    metrics = (localization.nmm(counts), localization.mcc(counts), localization.bwl1(counts))
    pixels = {"TP": counts.tp, "TN": counts.tn, "FP": counts.fp, "FN": counts.fn}
    return {
        **{f"{prefix}{name}": float(value) for name, value in zip(_METRICS, metrics, strict=True)},
        **{f"{prefix}Pixel{name}": int(value) for name, value in pixels.items()},
    }


def mask_row(side: str, mask: ScoredMask, common: int) -> Row:
    """Return one mask's columns.

    Args:
        side: ``p`` for a probe's mask, ``d`` for a donor's.
        mask: Counts of the mask at every threshold, and what was left out.
        common: Threshold that is best for all masks of that side.
    """
    best, roc = sweep.best_threshold(mask.sweep), sweep.pixel_roc(mask.sweep)
    pixels = sum(int(count) for count in sweep.counts_at(mask.sweep, 0))
    return {
        f"{side}OptimumThreshold": best,
        **_values(f"{side}Optimum", sweep.counts_at(mask.sweep, best)),
        f"{side}GWL1": mask.grey_loss,
        f"{side}AUC": roc.auc(),
        f"{side}EER": roc.eer(),
        **_values(f"{side}Maximum", sweep.counts_at(mask.sweep, common)),
        **_values(f"{side}Actual", sweep.counts_at(mask.sweep, ACTUAL)),
        f"{side}PixelN": pixels,
        f"{side}PixelBNS": mask.band_px,
        f"{side}PixelSNS": mask.grey_px,
    }


Pairs = Sequence[Mapping[str, ScoredMask]]


def localization_rows(masks: Pairs) -> list[Row]:
    """Return the columns of each target pair; sides whose reference is blank are left out.

    Args:
        masks: Masks of each pair by side; the common thresholds are best for all of them.
    """
    common = common_thresholds(masks)
    return [
        {
            name: value
            for side, mask in pair.items()
            for name, value in mask_row(side, mask, common[side]).items()
        }
        for pair in masks
    ]


def common_thresholds(masks: Pairs) -> dict[str, int]:
    """Return for each side the threshold with the highest sum of MCC over these masks."""
    thresholds = {}
    for side in PREFIXES:
        sweeps = [pair[side].sweep for pair in masks if side in pair]
        thresholds[side] = sweep.best_common_threshold(sweeps) if sweeps else -1
    return thresholds


def localization_summary(masks: Pairs) -> Row:
    """Return the mean over pairs of every column, their deviations, and what is pooled.

    Args:
        masks: Masks by side of each target pair that takes part. Common thresholds are of these
            alone: NIST's ``--optOut`` takes them over the masks that are opted in.
    """
    rows, common = localization_rows(masks), common_thresholds(masks)
    summary: Row = {}
    for side in PREFIXES:
        mine = [
            {name: value for name, value in row.items() if name.startswith(side)}
            for row in rows
            if f"{side}GWL1" in row
        ]
        for name in [name for name in mine[0] if "Pixel" not in name] if mine else []:
            values = np.array([row[name] for row in mine], dtype=np.float64)
            values = values[~np.isnan(values)]
            summary[name] = float(values.mean()) if len(values) else float("nan")
            deviation = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
            summary[f"stddev_{name}"] = deviation
        sweeps = [pair[side].sweep for pair in masks if side in pair]
        if sweeps:
            summary[f"{side}PixelAverageAUC"] = sweep.pooled_auc(sweeps)
            summary[f"{side}MaskAverageAUC"] = sweep.mean_auc(sweeps)
            summary[f"{side}MaximumThreshold"] = common[side]
    return summary


def detection_summary(labels: Sequence[int], scores: Sequence[float], trials: int) -> Row:
    """Return what NIST's detection report says, by its names.

    Bounds are of NIST's own bootstrap, which depends on the order of the pairs: here the index's.

    Args:
        labels: Labels of the pairs that take part, 1 and 0.
        scores: Confidence scores of the pairs that take part, in the order of ``labels``.
        trials: Number of all pairs of the index.
    """
    summary: Row = {
        "TRR": len(labels) / trials if trials else float("nan"),
        "AUC": detection.auc(labels, scores),
        "EER": detection.eer(labels, scores),
        "FAR_STOP": nist_detection.FAR_STOP,
        "AUC@FAR": nist_detection.area_at(labels, scores),
        "CDR@FAR": nist_detection.rate_at(labels, scores),
        "CI_LEVEL": nist_detection.LEVEL,
    }
    spans = nist_detection.bounds(labels, scores)
    for name, ending in (("AUC", ""), ("AUC", "@FAR"), ("CDR", "@FAR")):
        for end in ("LOWER", "UPPER"):
            value = getattr(spans[f"{name}{ending}"], end.lower())
            summary[f"{name}_CI_{end}{ending}"] = value
    return summary
