"""Opening a set by its folder."""

from pathlib import Path

from cisdl_bench.errors import StoreError
from cisdl_bench.folders import data_folder, find_named
from cisdl_bench.store.flat import AGAIN
from cisdl_bench.store.imported import HOLDS, ImportedPairs
from cisdl_bench.store.reader import PairSet
from cisdl_bench.store.sets import read_manifest
from cisdl_bench.store.stored import StoredPairs


def open_pairs(path: str | Path) -> StoredPairs:
    """Return the pairs of a set, generated or imported, such as ``cisdl-data/rotation-difficult``.

    Raises:
        StoreError: There is no finished set, or a shard is missing or broken.
    """
    folder = find_named(Path(path), data_folder())
    pairs = ImportedPairs(folder) if _is_imported(folder) else PairSet(folder)
    if not len(pairs):
        raise StoreError(f"{path}: the set has no pairs. {AGAIN}.")
    return pairs


def _is_imported(path: Path) -> bool:
    return bool(read_manifest(path).get("holds") == HOLDS)


def open_set(path: str | Path) -> PairSet:
    """Return the pairs of a generated set, with their composites.

    Raises:
        StoreError: It is none.
    """
    folder = Path(path)
    if _is_imported(folder):
        raise StoreError(
            f"{path}: the set was imported. Name one that `cisdl-bench generate` made."
        )
    pairs = PairSet(folder)
    if not len(pairs):
        raise StoreError(f"{path}: the set has no pairs. {AGAIN}.")
    return pairs
