"""True against false positive rate of detection, AUC and EER marked."""

from cisdl_bench.report.curves import draw_curves
from cisdl_bench.report.figure import Figure

FIGURE = Figure(
    lambda runs, options, _: draw_curves("roc", runs, options.sets, options.rules), "ROC", place=4
)
