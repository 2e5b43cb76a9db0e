"""Missed against false detections as normal deviates, EER marked."""

from cisdl_bench.report.curves import EER_NOTE, draw_curves
from cisdl_bench.report.figure import Figure

FIGURE = Figure(
    lambda runs, options, _: draw_curves("det", runs, options),
    "DET",
    place=6,
    note=EER_NOTE,
    half=True,
)
