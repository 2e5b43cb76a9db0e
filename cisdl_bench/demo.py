"""Everything once, small: built-in pictures, four methods, tables, figures, a page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.generation.jobs import make_set_jobs
from cisdl_bench.generation.run import make_sets
from cisdl_bench.metrics.intervals import mean_defined
from cisdl_bench.models.find import find_detector, find_ready
from cisdl_bench.progress import Progress
from cisdl_bench.report.draw import draw, save_figure
from cisdl_bench.report.figure import FigureOptions
from cisdl_bench.report.page import WORST, page
from cisdl_bench.report.tables import TableOptions, make_table
from cisdl_bench.report.write_table import FORMATS
from cisdl_bench.results.run_summary import write_summary
from cisdl_bench.scoring.jobs import make_score_jobs
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.run import score
from cisdl_bench.sources.coco import CocoSource
from cisdl_bench.sources.find import find_source
from cisdl_bench.store.atomic import write_whole
from cisdl_bench.store.folder import DataFolder

_TABLES = {"paper-2": ("table-2", True), "paper-3": ("table-3", True), "wide": ("all", False)}
_FIGURES = ("glance", "heatmap", "parameters", "pairs", "roc")


@dataclass(frozen=True)
class Size:
    """How much the demo makes.

    Attributes:
        pairs: Number of pairs of each of the 21 test sets.
        training: Number of pairs of a set of all three kinds, which has negative pairs too.
    """

    pairs: int = 3
    training: int = 18


def demo(out: Path, progress: Progress, jobs: int, size: Size = Size()) -> Iterator[str]:
    """Make everything; yield a line after each step that says what there is now.

    What is there already is not made again.

    Args:
        out: Folder that gets ``data``, ``scores``, ``tables``, ``figures``, ``report.html``.
        progress: Receives progress updates and messages.
        jobs: Number of worker processes.
        size: Numbers of pairs.
    """
    data, scores = out / "data", out / "scores"

    def open_split(split: str) -> CocoSource:
        return find_source(None, split, data)

    set_jobs = [
        *make_set_jobs(["all"], [], open_split, seed=0, pairs=size.pairs),
        *make_set_jobs(["training"], [], open_split, seed=0, pairs=size.training),
    ]
    manifests = make_sets(set_jobs, DataFolder(data), progress, jobs=jobs)
    total = sum(manifest["counts"]["pairs"] for manifest in manifests)
    yield f"{data}: {len(manifests)} sets, {total} pairs from the built-in pictures"
    runs = []
    for name in find_ready():
        sets = [*(job.folder for job in set_jobs)]
        score_jobs = make_score_jobs([data], sets, None, ListOptions(), progress)
        settings = ScoreOptions(workers=jobs, save_masks=True)
        results = score(find_detector(name), score_jobs, scores / name, settings, progress)
        write_summary(scores / name)
        runs.append(scores / name)
        mean = mean_defined([result["summary"]["iou"] for result in results])
        yield f"{scores / name}: mean IoU over sets {mean:.3f}"
    for layout, (name, published) in _TABLES.items():
        table = make_table(runs, TableOptions(layout, published=published))
        for ending, form in ((".csv", "csv"), (".tex", "latex"), (".md", "markdown")):
            text = FORMATS[form](table, 4, form == "latex")
            write_whole(
                out / "tables" / f"{name}{ending}", text.encode("utf-8", "backslashreplace")
            )
    yield f"{out / 'tables'}: Tables II and III's layouts and all numbers, as CSV, LaTeX, Markdown"
    for kind in _FIGURES:
        chosen = ("combination-easy",) if kind == "pairs" else ()
        options = FigureOptions(sets=chosen, count=3)
        save_figure(draw(kind, runs, options, progress), out / "figures" / f"{kind}.png")
    yield f"{out / 'figures'}: {', '.join(_FIGURES)}"
    text = page(runs, out / "report.html", progress, title="cisdl-bench demo", worst=WORST)
    write_whole(out / "report.html", text.encode("utf-8", "backslashreplace"))
    yield f"{out / 'report.html'}: open it in a browser"
