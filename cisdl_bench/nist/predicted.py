"""NIST's own numbers for a system output, written beside its result."""

from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import Any

from joblib import delayed

from cisdl_bench.adapters.predictions import Prediction, Predictions
from cisdl_bench.engine import workers
from cisdl_bench.nist import mediscore
from cisdl_bench.nist.pairs import NIST_ROWS, NIST_SUMMARY, NistPairs
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.predicted import find_reference, read_predicted
from cisdl_bench.store.atomic import write_csv, write_json


def write_nist(
    predictions: Predictions, pairs: NistPairs, folder: Path, options: ScoreOptions
) -> dict[str, Any]:
    """Write NIST's own numbers for a system output beside a result; return the summary.

    ``nist.csv`` has a line for each target pair by NIST's names of columns, ``nist.json`` the
    means over all pairs and over those that were not opted out.

    Args:
        predictions: The system output.
        pairs: NIST's pairs.
        folder: Folder of the result.
        options: Options of the run: processes and no-score zones are used.

    Raises:
        SourceError: A mask cannot be used.
    """
    rows = predictions.match(pairs)
    targets = [index for index in pairs.indices if pairs.label(index) == 1]
    parallel = workers(max(1, options.workers))
    masks: list[dict[str, mediscore.ScoredMask]] = parallel(
        delayed(_score_masks)(pairs, index, rows[index], predictions.dark, options)
        for index in targets
    )
    table = [
        {
            "ProbeFileID": pairs.row(index).probe_name,
            "DonorFileID": pairs.row(index).donor_name,
            "ConfidenceScore": rows[index].score,
            **columns,
        }
        for index, columns in zip(targets, mediscore.localization_rows(masks), strict=True)
    ]
    write_csv(folder / NIST_ROWS, table)
    opted_in = [
        {
            name: mask
            for name, mask in pair.items()
            if rows[index].localizes[mediscore.PREFIXES.index(name)]
        }
        for index, pair in zip(targets, masks, strict=True)
    ]
    detected = [(pairs.label(index), rows[index]) for index in pairs.indices]
    trials = len(pairs.listed.pairs)
    summary: dict[str, Any] = {"zones": dict(zip(("eks", "dks"), options.zones, strict=True))}
    for name, part in (("all", masks), ("opted_in", opted_in)):
        chosen = [(label, row.score) for label, row in detected if name == "all" or row.detects]
        labels, scores = [label for label, _ in chosen], [score for _, score in chosen]
        summary[name] = {
            "detection": mediscore.detection_summary(labels, scores, trials),
            "localization": mediscore.localization_summary(part),
        }
    write_json(folder / NIST_SUMMARY, summary)
    return summary


def _score_masks(
    pairs: NistPairs, index: int, row: Prediction, dark: bool, options: ScoreOptions
) -> Mapping[str, mediscore.ScoredMask]:
    masks = {}
    for side, (name, mask) in enumerate(zip(mediscore.PREFIXES, row.masks, strict=True)):
        if mask is None:
            continue
        levels = read_predicted(pairs, index, side, mask, dark=dark)
        reference = find_reference(pairs, index, side, levels, options)
        if reference is not None:
            masks[name] = mediscore.score_mask(levels, reference)
    return masks


def describe(summary: Mapping[str, Any]) -> str:
    """Return the numbers of one part of ``nist.json`` that a command prints, in one line."""
    place, roc = summary["localization"], summary["detection"]
    rates = ", ".join(f"{name} {roc[name]:.6g}" for name in ("AUC", "EER") if not isnan(roc[name]))
    means = ", ".join(
        f"{kind} MCC {place[f'p{kind}MCC']:.6f}/{place[f'd{kind}MCC']:.6f}"
        for kind in ("Optimum", "Actual")
        if f"p{kind}MCC" in place and f"d{kind}MCC" in place
    )
    return "; ".join(filter(None, (rates, f"probe/donor {means}" if means else "")))
