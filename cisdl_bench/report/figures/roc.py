"""True against false positive rate of detection, AUC and EER marked."""

from cisdl_bench.report.curves import EER_NOTE, draw_curves
from cisdl_bench.report.figure import Figure

FIGURE = Figure(
    lambda runs, options, _: draw_curves("roc", runs, options),
    "ROC",
    place=5,
    note=EER_NOTE,
    half=True,
)
