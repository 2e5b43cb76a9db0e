"""Which pairs of a list can be used, and why the others cannot."""

from collections.abc import Mapping
from pathlib import Path

from cisdl_bench.adapters.files import Picture, unreadable_of, unusable_masks
from cisdl_bench.adapters.listed import ListedPair, PairList
from cisdl_bench.adapters.masks import read_levels
from cisdl_bench.errors import SourceError
from cisdl_bench.progress import Progress
from cisdl_bench.records import UNLABELLED


def contradictions(listed: PairList) -> dict[int, str]:
    """Return pairs that a list names with both labels, and pairs of label 0 with tampered masks."""
    found: dict[int, str] = {}
    labels: dict[tuple[str, str], ListedPair] = {}
    for pair in listed.pairs:
        names = str(pair.probe or pair.probe_name), str(pair.donor or pair.donor_name)
        before = labels.setdefault(names, pair)
        if pair.label != before.label and UNLABELLED not in (pair.label, before.label):
            reason = f"named as pair {before.index} with label {before.label} and here with"
            found[pair.index] = f"{reason} label {pair.label}"
            found.setdefault(before.index, f"named again as pair {pair.index} with another label")
        if pair.label == 0 and (pair.probe_mask or pair.donor_mask):
            tampered = [path for path in (pair.probe_mask, pair.donor_mask) if _tampered(path)]
            if tampered:
                found[pair.index] = f"label 0, but tampered pixels in {tampered[0]}"
    return found


def _tampered(path: Path | None) -> bool:
    try:
        return path is not None and bool(read_levels(path).any())
    except SourceError:
        return False  # said elsewhere


def unusable_pairs(
    listed: PairList, missing: Mapping[Path, str], progress: Progress
) -> dict[int, str]:
    """Return the pairs with a file that is missing, broken or of another size, and why."""
    sides = {
        pair.index: (
            (pair.probe, pair.probe_size, pair.probe_mask),
            (pair.donor, pair.donor_size, pair.donor_mask),
        )
        for pair in listed.pairs
        if all(path is not None and path not in missing for path in (pair.probe, pair.donor))
    }
    pictures: dict[Picture, None] = {}
    masks: dict[tuple[Path, Picture], None] = {}
    for both in sides.values():
        for path, size, mask in both:
            assert path is not None
            pictures[path, size] = None
            if mask is not None and mask not in missing:
                masks[mask, (path, size)] = None
    progress.start("pictures and masks", len(pictures) + len(masks))
    wrong, broken = unreadable_of(list(pictures), list(masks), listed.masks, progress.advance)
    progress.stop()
    found = {}
    for pair in listed.pairs:
        reasons = [missing[path] for path in pair.files if path in missing]
        for path, mask in ((pair.probe, pair.probe_mask), (pair.donor, pair.donor_mask)):
            if path in wrong:
                reasons.append(wrong[path])
            if path is not None and mask is not None and (mask, path) in broken:
                reasons.append(broken[mask, path])
        if reasons:
            found[pair.index] = reasons[0]
    return found


def unknown_masks(listed: PairList, missing: Mapping[Path, str]) -> dict[tuple[int, int], str]:
    """Return the true masks that cannot be used, by pair and side, and why."""
    named = {
        (pair.index, side): mask
        for pair in listed.pairs
        for side, mask in enumerate((pair.probe_mask, pair.donor_mask))
        if mask is not None
    }
    there = [mask for mask in dict.fromkeys(named.values()) if mask not in missing]
    reasons = {**missing, **unusable_masks(there, listed.masks)}
    return {place: reasons[mask] for place, mask in named.items() if mask in reasons}


def unnamed_pairs(listed: PairList, skip_unusable: bool) -> dict[int, str]:
    """Return the pairs of which a picture has no file.

    Raises:
        SourceError: There is one and it may not be left out.
    """
    found = {}
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
            found[pair.index] = f"no picture {name}"
    return found


def kind_of(reason: str) -> str:
    """Return which kind of reason a pair was left out for.

    >>> kind_of("a/b.png: no such file")
    'missing file'
    """
    if reason.endswith(": no such file") or reason.startswith("no picture "):
        return "missing file"
    if reason.startswith(("named ", "label ")):
        return "contradictory label"
    if reason.startswith("no pictures and no prediction"):
        return "no prediction"
    if "px, as its picture" in reason:
        return "mask of another size"
    return "broken picture" if "expected a picture" in reason else "broken mask"
