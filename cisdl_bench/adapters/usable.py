"""Which pairs of a list can be used, and why the others cannot."""

from collections.abc import Mapping
from pathlib import Path

from cisdl_bench.adapters.files import Picture, find_unreadable, find_unusable_masks
from cisdl_bench.adapters.listed import Boxes, ListedPair, PairList
from cisdl_bench.adapters.masks import read_levels
from cisdl_bench.errors import SourceError
from cisdl_bench.progress import Progress
from cisdl_bench.records import UNLABELLED


def find_contradictions(listed: PairList) -> dict[int, str]:
    """Return pairs that a list names with both labels, and pairs of label 0 with tampered masks."""
    reasons: dict[int, str] = {}
    labels: dict[tuple[str, str], ListedPair] = {}
    for pair in listed.pairs:
        names = str(pair.probe or pair.probe_name), str(pair.donor or pair.donor_name)
        before = labels.setdefault(names, pair)
        if pair.label != before.label and UNLABELLED not in (pair.label, before.label):
            reason = f"named as pair {before.index} with label {before.label} and here with"
            reasons[pair.index] = f"{reason} label {pair.label}"
            again = f"named again as pair {pair.index} with another label"
            reasons.setdefault(before.index, again)
        if pair.label == 0:
            tampered = [path for path in pair.masks if _is_tampered(path)]
            if tampered:
                reasons[pair.index] = f"label 0, but tampered pixels in {tampered[0]}"
    return reasons


def _is_tampered(path: Path | Boxes | None) -> bool:
    if isinstance(path, Boxes):
        return bool(path.corners)
    try:
        return path is not None and bool(read_levels(path).any())
    except SourceError:
        return False  # said elsewhere


def find_unusable_pairs(
    listed: PairList, missing: Mapping[Path, str], progress: Progress
) -> dict[int, str]:
    """Return the pairs with a file that is missing, broken or of another size, and why."""
    pictures: dict[Picture, None] = {}
    masks: dict[tuple[Path | Boxes, Picture], None] = {}
    for pair in listed.pairs:
        if any(path is None or path in missing for path in pair.pictures):
            continue
        for path, size, mask in zip(pair.pictures, pair.sizes, pair.masks, strict=True):
            assert path is not None
            pictures[path, size] = None
            if mask is not None and mask not in missing:
                masks[mask, (path, size)] = None
    progress.start("pictures and masks", len(pictures) + len(masks))
    wrong, broken = find_unreadable(list(pictures), list(masks), listed.masks, progress.advance)
    progress.stop()
    unusable = {}
    for pair in listed.pairs:
        reasons = [missing[path] for path in pair.files if path in missing]
        for path, mask in zip(pair.pictures, pair.masks, strict=True):
            if path in wrong:
                reasons.append(wrong[path])
            if path is not None and mask is not None and (mask, path) in broken:
                reasons.append(broken[mask, path])
        if reasons:
            unusable[pair.index] = reasons[0]
    return unusable


def find_unknown_masks(listed: PairList, missing: Mapping[Path, str]) -> dict[tuple[int, int], str]:
    """Return the true masks that cannot be used, by pair and side, and why."""
    named = {
        (pair.index, side): mask
        for pair in listed.pairs
        for side, mask in enumerate(pair.masks)
        if isinstance(mask, Path)
    }
    existing = [mask for mask in dict.fromkeys(named.values()) if mask not in missing]
    reasons = {**missing, **find_unusable_masks(existing, listed.masks)}
    return {place: reasons[mask] for place, mask in named.items() if mask in reasons}


def find_unnamed_pairs(listed: PairList, skip_unusable: bool) -> dict[int, str]:
    """Return the pairs of which a picture has no file.

    Raises:
        SourceError: There is one and it may not be left out.
    """
    unnamed = {}
    for pair in listed.pairs:
        for name, path in ((pair.probe_name, pair.probe), (pair.donor_name, pair.donor)):
            if path is not None:
                continue
            if not (listed.partial or skip_unusable):
                raise SourceError.expected(
                    f"{listed.path}: pair {pair.index}",
                    "the names of two pictures",
                    "an empty cell",
                    "Correct the row, or leave it out with --skip-unusable",
                )
            unnamed[pair.index] = f"no picture {name}"
    return unnamed


def classify_reason(reason: str) -> str:
    """Return which kind of reason a pair was left out for.

    >>> classify_reason("a/b.png: no such file")
    'missing file'
    """
    if reason.endswith(": no such file") or reason.startswith("no picture "):
        return "missing file"
    if reason.startswith(("named ", "label ")):
        return "contradictory label"
    if reason.startswith("no pictures and no prediction"):
        return "no prediction"
    if "px, as its picture" in reason or "boxes in a picture" in reason:
        return "mask of another size"
    return "broken picture" if "expected a picture" in reason else "broken mask"
