"""Data sets on disk: picture and composite shards, reading, checking, exporting."""

from cisdl_bench.store.reader import PairSet, open_pairs

__all__ = ["PairSet", "open_pairs"]
