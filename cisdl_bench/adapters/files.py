"""The files that a list names: there, readable, and what they hold."""

import errno
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from joblib import Parallel, delayed

from cisdl_bench.adapters.listed import Boxes, PairList
from cisdl_bench.adapters.masks import read_mask
from cisdl_bench.adapters.picture import read_picture
from cisdl_bench.errors import SourceError
from cisdl_bench.hashing import hash_file

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


def hash_files(paths: Sequence[Path], advance: Advance) -> dict[Path, str]:
    """Return the SHA-256 of each file; of one that is not there, ``missing``."""
    blocks = [paths[start : start + _BLOCK] for start in range(0, len(paths), _BLOCK)]
    digests: dict[Path, str] = {}
    parallel = Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    for block in parallel(delayed(_hash_block)(block) for block in blocks):
        digests.update(block)
        advance(len(block))
    return digests


def _hash_block(paths: Sequence[Path]) -> dict[Path, str]:
    return {path: _hash_or_missing(path) for path in paths}


def _hash_or_missing(path: Path) -> str:
    try:
        return hash_file(path)
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return "missing"


def find_unreadable(
    pictures: Sequence[Picture],
    masks: Sequence[tuple[Path | Boxes, Picture]],
    rule: str,
    advance: Advance,
) -> tuple[dict[Path, str], dict[tuple[Path | Boxes, Path], str]]:
    """Return what cannot be decoded to its end, and why.

    Args:
        pictures: Files of pictures, and the width and height that the list says they have.
        masks: Files or rectangles of masks, and the picture that each is of.
        rule: Rule that says which pixels of a mask are tampered, of ``masks.RULES``.
        advance: Called with the number of files that were looked at.

    Returns:
        Reasons by picture, and reasons by mask and its picture.
    """
    parallel = Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    wrong, shapes = {}, {}
    read = parallel(delayed(_read_shape)(*picture) for picture in pictures)
    for picture, (shape, reason) in zip(pictures, read, strict=True):
        if reason:
            wrong[picture[0]] = reason
        else:
            shapes[picture] = shape
        advance(1)
    readable = [(mask, picture) for mask, picture in masks if picture in shapes]
    checked = parallel(
        delayed(_check_mask)(mask, rule, shapes[picture]) for mask, picture in readable
    )
    broken = {}
    for (mask, picture), reason in zip(readable, checked, strict=True):
        if reason:
            broken[mask, picture[0]] = reason
        advance(1)
    return wrong, broken


def _read_shape(path: Path, size: tuple[int, int] | None) -> tuple[tuple[int, ...], str]:
    """Return a picture's shape, and why it cannot be read."""
    try:
        return read_picture(path, size).shape, ""
    except SourceError as error:
        return (), str(error)


def _check_mask(path: Path | Boxes, rule: str, shape: tuple[int, ...] | None) -> str:
    try:
        read_mask(path, rule, shape)
    except SourceError as error:
        return str(error)
    return ""


def find_unusable_masks(masks: Sequence[Path], rule: str) -> dict[Path, str]:
    """Return the masks that cannot be read, and why; their sizes are not looked at."""
    parallel = Parallel(n_jobs=-1, prefer="threads")
    reasons = parallel(delayed(_check_mask)(path, rule, None) for path in masks)
    return {path: reason for path, reason in zip(masks, reasons, strict=True) if reason}


def fingerprint_list(pairs: PairList, digests: dict[Path, str]) -> str:
    """Return the fingerprint of a list's content.

    SHA-256 over its rules, and of each row the number, the label and the hashes of its four files,
    ``missing`` or nothing where there is none; of rectangles their corners.
    """
    total = hashlib.sha256(f"cisdl-bench list {pairs.masks} {pairs.canvas}\n".encode())
    for pair in pairs.pairs:
        files = (*pair.pictures, *pair.masks)
        cells = [_fingerprint_cell(path, digests) for path in files]
        total.update(f"{pair.index} {pair.label} {','.join(cells)}\n".encode())
    return total.hexdigest()


def _fingerprint_cell(path: Path | Boxes | None, digests: dict[Path, str]) -> str:
    if isinstance(path, Boxes):
        return "boxes " + " ".join(str(px) for corners in path.corners for px in corners)
    return "" if path is None else digests[path]
