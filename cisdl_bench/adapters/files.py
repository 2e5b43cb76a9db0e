"""The files that a list names: there, readable, and what they hold."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from joblib import Parallel, delayed

from cisdl_bench.adapters.listed import PairList
from cisdl_bench.adapters.picture import read_picture
from cisdl_bench.errors import SourceError

Advance = Callable[[int], None]
_BLOCK = 64


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
    except OSError:
        return "missing"


def unreadable_of(paths: Sequence[Path], advance: Advance) -> dict[Path, str]:
    """Return the pictures that cannot be decoded to their end, and why."""
    parallel = Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    found = {}
    for path, reason in zip(paths, parallel(delayed(_reason)(path) for path in paths), strict=True):
        if reason:
            found[path] = reason
        advance(1)
    return found


def _reason(path: Path) -> str:
    try:
        read_picture(path)
    except SourceError as error:
        return str(error)
    return ""


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
