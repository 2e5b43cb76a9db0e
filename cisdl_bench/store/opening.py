"""Opening a set by its folder."""

from pathlib import Path

from cisdl_bench.errors import StoreError
from cisdl_bench.records import Pairs
from cisdl_bench.store.flat import AGAIN
from cisdl_bench.store.imported import HOLDS, ImportedPairs
from cisdl_bench.store.reader import PairSet
from cisdl_bench.store.sets import read_manifest


def open_pairs(path: str | Path) -> Pairs:
    """Return the pairs of a set, generated or imported, such as ``cisdl-data/rotation-difficult``.

    Raises:
        StoreError: There is no finished set, or a shard is missing or broken.
    """
    imported = read_manifest(Path(path)).get("holds") == HOLDS
    pairs: Pairs = ImportedPairs(Path(path)) if imported else PairSet(Path(path))
    if not len(pairs):
        raise StoreError.expected(path, "a set with pairs in it", "none", AGAIN)
    return pairs


def open_set(path: str | Path) -> PairSet:
    """Return the pairs of a generated set, with their composites.

    Raises:
        StoreError: It is none.
    """
    pairs = open_pairs(path)
    if not isinstance(pairs, PairSet):
        raise StoreError.expected(
            path, "a generated set", "an imported one", "Name a set of `cisdl-bench generate`"
        )
    return pairs
