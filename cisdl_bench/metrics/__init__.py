"""Exact metrics of masks and scores, numpy alone.

>>> import numpy as np
>>> pred, target = np.array([[1, 1, 0, 0]]) > 0, np.array([[1, 0, 0, 0]]) > 0
>>> float(iou(count(pred, target)))
0.5
"""

from cisdl_bench.metrics.counts import Counts, count
from cisdl_bench.metrics.detection import at_threshold, auc, average_precision, eer, roc
from cisdl_bench.metrics.localization import bwl1, f1, iou, mcc, nmm
from cisdl_bench.metrics.mask_score import mean_inside, pair_score, share_inside

__all__ = [
    "Counts",
    "at_threshold",
    "auc",
    "average_precision",
    "bwl1",
    "count",
    "eer",
    "f1",
    "iou",
    "mcc",
    "mean_inside",
    "nmm",
    "pair_score",
    "roc",
    "share_inside",
]
