"""The files that a list names: there, readable, and what they hold."""

import errno
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from joblib import Parallel, delayed

from cisdl_bench.adapters.listed import PairList
from cisdl_bench.adapters.masks import read_mask
from cisdl_bench.adapters.picture import read_picture
from cisdl_bench.errors import SourceError

Advance = Callable[[int], None]
#: A picture's file, and the width and height that a list says it has.
Picture = tuple[Path, tuple[int, int] | None]
_BLOCK = 64


def is_file(path: Path) -> bool:
    """Return whether there is a file; False for names that no file can have."""
    try:
        return path.is_file()
    except ValueError:
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def digests_of(paths: Sequence[Path], advance: Advance) -> dict[Path, str]:
    """Return the SHA-256 of each file; of one that is not there, ``missing``."""
    blocks = [paths[start : start + _BLOCK] for start in range(0, len(paths), _BLOCK)]
    found: dict[Path, str] = {}
    parallel = Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    for block in parallel(delayed(_digests)(block) for block in blocks):
        found.update(block)
        advance(len(block))
    return found


def _digests(paths: Sequence[Path]) -> dict[Path, str]:
    return {path: _digest(path) for path in paths}


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return "missing"


def unreadable_of(
    pictures: Sequence[Picture], masks: Sequence[tuple[Path, Picture]], rule: str, advance: Advance
) -> tuple[dict[Path, str], dict[tuple[Path, Path], str]]:
    """Return what cannot be decoded to its end, and why.

    Args:
        pictures: Files of pictures, and the width and height that the list says they have.
        masks: Files of masks, and the picture that each is of.
        rule: Which pixels of a mask are tampered, of ``masks.RULES``.
        advance: Hears of each file.

    Returns:
        Reasons by picture, and reasons by mask and its picture.
    """
    parallel = Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    wrong, shapes = {}, {}
    looked = parallel(delayed(_shape)(*picture) for picture in pictures)
    for picture, found in zip(pictures, looked, strict=True):
        if isinstance(found, str):
            wrong[picture[0]] = found
        else:
            shapes[picture] = found
        advance(1)
    there = [(mask, picture) for mask, picture in masks if picture in shapes]
    checked = parallel(delayed(_mask)(mask, rule, shapes[picture]) for mask, picture in there)
    broken = {}
    for (mask, picture), reason in zip(there, checked, strict=True):
        if reason:
            broken[mask, picture[0]] = reason
        advance(1)
    return wrong, broken


def _shape(path: Path, size: tuple[int, int] | None) -> tuple[int, ...] | str:
    try:
        return read_picture(path, size).shape
    except SourceError as error:
        return str(error)


def _mask(path: Path, rule: str, shape: tuple[int, ...] | None) -> str:
    try:
        read_mask(path, rule, shape)
    except SourceError as error:
        return str(error)
    return ""


def unusable_masks(masks: Sequence[Path], rule: str) -> dict[Path, str]:
    """Return the masks that cannot be read, and why; their sizes are not looked at."""
    parallel = Parallel(n_jobs=-1, prefer="threads")
    reasons = parallel(delayed(_mask)(path, rule, None) for path in masks)
    return {path: reason for path, reason in zip(masks, reasons, strict=True) if reason}


def fingerprint_of(pairs: PairList, digests: dict[Path, str]) -> str:
    """Return the fingerprint of a list's content.

    SHA-256 over its rules, and of each row the number, the label and the hashes of its four files,
    ``missing`` or nothing where there is none.
    """
    total = hashlib.sha256(f"cisdl-bench list {pairs.masks} {pairs.canvas}\n".encode())
    for pair in pairs.pairs:
        files = (pair.probe, pair.donor, pair.probe_mask, pair.donor_mask)
        cells = ["" if path is None else digests[path] for path in files]
        total.update(f"{pair.index} {pair.label} {','.join(cells)}\n".encode())
    return total.hexdigest()
