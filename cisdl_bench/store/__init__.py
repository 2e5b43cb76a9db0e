"""Data sets on disk: picture and composite shards, reading, checking, exporting."""

from cisdl_bench.store.opening import open_pairs
from cisdl_bench.store.reader import PairSet

__all__ = ["PairSet", "open_pairs"]
