"""ROC curves of detection: true against false positive rate."""

from cisdl_bench.report.curves import draw_curves
from cisdl_bench.report.figure import Figure

FIGURE = Figure(
    lambda runs, options, _: draw_curves("roc", runs, options.sets, options.rules), "ROC", place=4
)
