"""Checking a set against its manifest, down to the last pixel."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from cisdl_bench.errors import StoreError
from cisdl_bench.records import pairs_of
from cisdl_bench.store.imported import ImportedPairs, fingerprint_again
from cisdl_bench.store.layout import box_of, set_fingerprint, unpacked
from cisdl_bench.store.opening import open_pairs
from cisdl_bench.store.pictures import PictureReader, read_store
from cisdl_bench.store.reader import PairSet
from cisdl_bench.store.sets import read_finished

_BLOCK = 512  # composites checked in one go


def verify_set(
    folder: Path, checked: set[Path], advance: Callable[[int], None] = lambda _: None
) -> list[str]:
    """Return what is wrong with a set, a line each that names the shard; empty if it is sound.

    Files first (there, size, SHA-256), then the content: every picture and composite is hashed
    again, masks are counted, and the fingerprint is computed anew.

    Args:
        folder: The set's folder.
        checked: Picture stores already found sound; added to.
        advance: Told how many pairs are done.
    """
    try:
        manifest = read_finished(folder)
    except StoreError as error:
        return [str(error)]
    pictures = (folder / manifest["pictures"]).resolve()
    problems = _files(folder, manifest["shards"])
    if pictures not in checked:
        try:
            stored = read_store(pictures)
            problems += _files(pictures, [entry for entry in stored["shards"] if entry["rows"]])
        except StoreError as error:
            problems.append(str(error))
    if problems:
        return problems
    try:
        pairs = open_pairs(folder)
    except StoreError as error:
        return [str(error)]
    assert isinstance(pairs, PairSet | ImportedPairs)
    if pictures not in checked:
        problems += list(_pictures(pairs.pictures))
    checked.add(pictures)
    if isinstance(pairs, ImportedPairs):
        problems += [line for k in range(len(pairs)) if (line := pairs.problem(k))]
        advance(len(pairs))
        found = fingerprint_again(pairs)
    else:
        problems += _composites(pairs, advance)
        found = set_fingerprint([pairs.digests], pairs.kinds, pairs.size)
    counts = manifest["counts"]
    if counts["pairs"] != len(pairs):
        problems.append(f"{folder}: expected {counts['pairs']} pairs, got {len(pairs)}")
    if found != manifest["fingerprint"]:
        problems.append(
            f"{folder}: expected fingerprint {manifest['fingerprint']}, got {found}. The shards "
            "are not those of this manifest: generate the set again with --overwrite."
        )
    return problems


def _files(folder: Path, entries: list[dict[str, Any]]) -> list[str]:
    found = joblib.Parallel(n_jobs=-1, prefer="threads")(
        joblib.delayed(_file)(folder / entry["name"], entry) for entry in entries
    )
    return [line for line in found if line]


def _file(path: Path, entry: dict[str, Any]) -> str:
    again = "Run the set's `generate` command with --overwrite."
    try:
        size = path.stat().st_size
        if size != entry["bytes"]:
            return f"{path}: expected {entry['bytes']} bytes, got {size}: cut short. {again}"
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"{path}: expected a shard, got {error.strerror}. {again}"
    if sha256 != entry["sha256"]:
        return f"{path}: expected SHA-256 {entry['sha256']}, got {sha256}: damaged. {again}"
    return ""


def _pictures(store: PictureReader) -> Iterator[str]:
    picture = np.empty((store.size, store.size, 3), dtype=np.uint8)
    for position, digest in enumerate(store.digests):
        store.read_into(position, picture)
        if hashlib.sha256(picture.data).digest() != digest.tobytes():
            yield f"{store.path}: picture {store.ids[position]}: pixels do not fit their digest"


def _composites(pairs: PairSet, advance: Callable[[int], None]) -> list[str]:
    starts = range(0, len(pairs.rows), _BLOCK)
    results = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(
        joblib.delayed(_block)(pairs, start, min(start + _BLOCK, len(pairs.rows)))
        for start in starts
    )
    problems: list[str] = []
    for start, found in zip(starts, results, strict=True):
        problems += found
        advance(pairs_of(min(_BLOCK, len(pairs.rows) - start), pairs.kinds))
    return problems


def _block(pairs: PairSet, start: int, stop: int) -> list[str]:
    return [line for at in range(start, stop) if (line := _composite(pairs, at))]


def _composite(pairs: PairSet, at: int) -> str:
    row, where = pairs.rows[at], f"{pairs.path}: composite {pairs.rows[at]['index']}"
    if pairs.digest(at) != pairs.digests[at].tobytes():
        return f"{where}: its content does not fit its digest"
    blob, ends = pairs.blob(at), pairs.ends(at)
    for name, low, high in (("probe", ends[0], ends[1]), ("donor", ends[1], ends[2])):
        area = int(np.count_nonzero(unpacked(blob[low:high], box_of(row, name))))
        if area != row[f"{name}_area_px"]:
            return f"{where}: expected {row[f'{name}_area_px']} px in its {name} mask, got {area}"
    return ""
