"""Exact metrics of masks and scores, numpy alone."""
