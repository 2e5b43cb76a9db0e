"""DET curves of detection: false negative against false positive rate, as normal deviates."""

from cisdl_bench.report.curves import draw_curves
from cisdl_bench.report.figure import Figure

FIGURE = Figure(
    lambda runs, options, _: draw_curves("det", runs, options.sets, options.rules), "DET", place=5
)
