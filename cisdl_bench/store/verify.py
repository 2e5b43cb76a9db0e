"""Checking a set against its manifest, down to the last pixel."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from cisdl_bench.errors import StoreError
from cisdl_bench.hashing import hash_file
from cisdl_bench.store.describe import find_wrong_files
from cisdl_bench.store.opening import open_pairs
from cisdl_bench.store.pictures import PictureReader, read_store
from cisdl_bench.store.sets import read_finished


def verify_set(
    folder: Path, checked: set[Path], advance: Callable[[int], None] = lambda _: None
) -> list[str]:
    """Return what is wrong with a set, a line each that names the shard; empty if it is sound.

    Files first (there, size, SHA-256), then the content: every picture and composite is hashed
    again, masks are counted, the fingerprint is computed anew, and ``croissant.json`` is compared.

    Args:
        folder: Folder of the set.
        checked: Picture stores that were checked already; this set's is added.
        advance: Called with the number of pairs that were checked.
    """
    try:
        manifest = read_finished(folder)
    except StoreError as error:
        return [str(error)]
    pictures = (folder / manifest["pictures"]).resolve()
    problems = _check_files(folder, manifest["shards"])
    if pictures not in checked:
        try:
            stored = read_store(pictures)
            problems += _check_files(
                pictures, [entry for entry in stored["shards"] if entry["rows"]]
            )
        except StoreError as error:
            problems.append(str(error))
    if problems:
        return problems
    try:
        pairs = open_pairs(folder)
    except StoreError as error:
        return [str(error)]
    if pictures not in checked:
        problems += list(_check_pictures(pairs.pictures))
    checked.add(pictures)
    problems += pairs.find_problems(advance)
    fingerprint = pairs.hash_content()
    counts = manifest["counts"]
    if counts["pairs"] != len(pairs):
        problems.append(f"{folder}: expected {counts['pairs']} pairs, got {len(pairs)}")
    if fingerprint != manifest["fingerprint"]:
        problems.append(
            f"{folder}: expected fingerprint {manifest['fingerprint']}, got {fingerprint}. "
            "The shards are not those of this manifest: generate the set again with --overwrite."
        )
    hashes = {entry["name"]: entry["sha256"] for entry in manifest["shards"]}
    return problems + find_wrong_files(folder, hashes)


def _check_files(folder: Path, entries: list[dict[str, Any]]) -> list[str]:
    lines = joblib.Parallel(n_jobs=-1, prefer="threads")(
        joblib.delayed(_check_file)(folder / entry["name"], entry) for entry in entries
    )
    return [line for line in lines if line]


def _check_file(path: Path, entry: dict[str, Any]) -> str:
    again = "Run the set's `generate` command with --overwrite."
    try:
        size = path.stat().st_size
        if size != entry["bytes"]:
            return f"{path}: expected {entry['bytes']} bytes, got {size}: cut short. {again}"
        sha256 = hash_file(path)
    except OSError as error:
        return f"{path}: expected a shard, got {error.strerror}. {again}"
    if sha256 != entry["sha256"]:
        return f"{path}: expected SHA-256 {entry['sha256']}, got {sha256}: damaged. {again}"
    return ""


def _check_pictures(store: PictureReader) -> Iterator[str]:
    picture = np.empty((store.size, store.size, 3), dtype=np.uint8)
    for position, digest in enumerate(store.digests):
        store.read_into(position, picture)
        if hashlib.sha256(picture.data).digest() != digest.tobytes():
            yield f"{store.path}: picture {store.ids[position]}: pixels do not fit their digest"
