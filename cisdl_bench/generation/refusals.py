"""Why a set came to nothing, in one line."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from cisdl_bench.errors import SourceError
from cisdl_bench.sources.coco import CocoSource

_MISSING = "file missing"
_SHOWN = 4  # reasons in a line


def reasons_in_words(reasons: Mapping[str, int]) -> str:
    """Return reasons with their counts, the most frequent first, a few of them.

    >>> reasons_in_words({"no outline": 2, "area 0": 30})
    'area 0: 30, no outline: 2'
    """
    most = Counter(reasons).most_common(_SHOWN)
    return ", ".join(f"{reason}: {n:,}" for reason, n in most if n) or "no reason noted"


def no_candidates(folder: str, source: CocoSource) -> SourceError:
    """Return the error of a set without candidates.

    Args:
        folder: Name of the set.
        source: Split that pictures and instances come from.
    """
    skipped = {k: n for k, n in source.index.info["counts"].items() if k.startswith("annotation")}
    usable = len(source.index.annotation_id)
    if skipped and not usable:
        got = f"no annotation that can be used ({reasons_in_words(skipped)})"
        then = f"Correct {source.index.info['file']}"
    else:
        got = f"none among {usable:,} annotations"
        then = "Choose another difficulty or source"
    return SourceError.expected(
        f"{folder} from {source.name}", "pictures with an instance of an admissible area", got, then
    )


def no_pairs(
    folder: Path, source: CocoSource, unusable: Mapping[int, str], refused: Mapping[str, int]
) -> SourceError:
    """Return the error of a set whose candidates all came to nothing.

    Args:
        folder: Folder of the set.
        source: Split that pictures and instances come from.
        unusable: Reasons by the ids of pictures that could not be used.
        refused: Numbers of refused candidates by reason.
    """
    missing = [key for key, reason in unusable.items() if reason == _MISSING]
    then = "Choose another difficulty or source"
    if unusable:
        then = "Put the pictures right and run the same command again"
    if missing:
        at = source.index.picture_id.searchsorted(missing[0])
        path = source.pictures / source.index.file_name(int(at))
        then = f"Put the pictures where they are looked for, such as {path}"
    reasons = Counter(unusable.values()) or Counter(refused)
    return SourceError.expected(
        folder, "at least one pair", f"none ({reasons_in_words(reasons)})", then
    )
