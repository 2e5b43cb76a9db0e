"""From a result back to its pairs and masks."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cisdl_bench.adapters.formats import folder_format
from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.errors import CisdlError, RunError
from cisdl_bench.models.detection import Probability
from cisdl_bench.models.detectors import PairDetector
from cisdl_bench.models.find import remake_method
from cisdl_bench.pairs import Pairs, PairSlice
from cisdl_bench.progress import Progress
from cisdl_bench.results.result import Result
from cisdl_bench.scoring.by_pair import score_pair
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.masks import MaskFolder
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.store.opening import open_pairs


def reopen(result: Result, progress: Progress, data: Path | None = None) -> Pairs:
    """Return the pairs that a result is of.

    Args:
        result: Result of a set, which says where its pairs were.
        progress: Receives progress updates and messages.
        data: Folder or list where the pairs are now; None is where they were.

    Raises:
        RunError: They are not there, or are others by their fingerprint.
    """
    origin: dict[str, Any] = result.record["origin"]
    path = data or Path(origin["path"])
    then = "Say where they are by --data"
    try:
        if path.is_dir() and not ("skip_unusable" in origin and folder_format(path)):
            folder = path / result.set if (path / result.set).is_dir() else path
            pairs: Pairs = open_pairs(folder)
        else:
            images, reference = (
                Path(where) if (where := origin.get(key)) else None
                for key in ("images", "reference")
            )
            options = ListOptions(
                images,
                reference,
                int(result.record["request"]["size"]),
                origin.get("skip_unusable", False),
                pictures=origin.get("pictures", True),
                part=origin.get("part", ""),
            )
            pairs = open_list(path, options, progress)
    except (CisdlError, OSError) as error:
        raise RunError.expected(result.path, f"its pairs at {path}", f"'{error}'", then) from error
    if "slice" in origin:
        pairs = _take_slice(pairs, origin["slice"], result)
    wanted = result.record["request"]["fingerprint"]
    if pairs.fingerprint != wanted:
        raise RunError.expected(
            path,
            f"the pairs of {result.path} ({wanted[:12]})",
            f"others ({pairs.fingerprint[:12]})",
            "Score those, or say where the right ones are by --data",
        )
    strange = set(result.rows()["index"].tolist()) - set(pairs.indices)
    if strange:
        raise RunError.expected(
            result.path,
            f"rows of the {len(pairs):,} pairs at {path}",
            f"pair {min(strange)}",
            "Score it again with --overwrite",
        )
    return pairs


def _take_slice(pairs: Pairs, slice_: list[int], result: Result) -> Pairs:
    """Return the part of the pairs that a result of a slice is of."""
    start, stop, step = slice_
    places = range(start, stop, step) if step else range(0)
    ends = (places[0], places[-1]) if places else (-1,)
    if not all(0 <= end < len(pairs) for end in ends):
        raise RunError.expected(
            result.path, f"a slice of the {len(pairs):,} pairs", slice_, "Score it again"
        )
    return PairSlice(pairs, places)


def find_masks(result: Result, pairs: Pairs, index: int) -> tuple[Probability, Probability] | None:
    """Return what a result's detector said of one pair, on the canvas; None where that is lost.

    Masks saved by ``--save-masks`` are read; a detector that needs no weights looks again.

    Args:
        result: Result of a set.
        pairs: Pairs of the result.
        index: Number of the pair.

    Returns:
        Probe's and donor's mask, float32 (size, size), 0 to 1.

    Raises:
        RunError: A saved mask is broken.
    """
    saved = [MaskFolder(result.path).file(index, side) for side in ("probe", "donor")]
    if all(path.exists() for path in saved):
        probe, donor = (_read(path, pairs.size) for path in saved)
        return probe, donor
    method = remake_method(result.detector)
    if method is None:
        return None
    detector = PairDetector(method)
    request = result.record["request"]
    if detector.identity != request["identity"]:
        return None
    options = ScoreOptions(threshold=request["threshold"], perturb_donor=request["perturb_donor"])
    job = ScoreJob(pairs, Perturbation.named(result.perturbation))
    detection, _ = score_pair(detector, job, index, options)
    return detection.probe, detection.donor


def _read(path: Path, size: int) -> Probability:
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if grey is None or grey.shape != (size, size):
        got = "a broken file" if grey is None else f"{grey.shape[1]} x {grey.shape[0]}"
        raise RunError.expected(
            path, f"a mask of {size} x {size} px", got, "Score it again with --overwrite"
        )
    return np.asarray(grey.astype(np.float32) / 255)
