"""Data sets and benchmarks for constrained image splicing detection and localization."""

__version__ = "0.1.0"
