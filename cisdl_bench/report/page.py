"""The report: one page that needs no network, with tables, figures and the worst failures."""

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cisdl_bench import __version__
from cisdl_bench.errors import RunError
from cisdl_bench.nist.pairs import NIST_ROWS
from cisdl_bench.progress import Progress
from cisdl_bench.report.draw import draw, render
from cisdl_bench.report.figure import FigureOptions, report_figures
from cisdl_bench.report.figures.parameters import PARAMETERS, breakdowns
from cisdl_bench.report.gallery import Card, make_cards
from cisdl_bench.report.methods import gathered, name_method
from cisdl_bench.report.tables import LAYOUTS, Table, TableOptions, collect_notes, make_table
from cisdl_bench.report.templating import read_own_text, render_html
from cisdl_bench.report.write_table import shape_table
from cisdl_bench.results.result import Result
from cisdl_bench.scoring.record import RESULT
from cisdl_bench.scoring.result_folder import LEFT_OUT
from cisdl_bench.scoring.rows import ROWS

_DIGITS = 4
#: Of the detection tables, the format of the pairs that each is published for.
_DETECTED = {"paper-3": "casia", "paper-4": "mfc"}

#: A cell of a table: its class (``text``, ``n`` or ``hash``) and its text.
Cell = tuple[str, str]


def page(
    runs: Sequence[Path],
    target: Path,
    progress: Progress,
    *,
    title: str = "cisdl-bench report",
    worst: int = 50,
    data: Path | None = None,
) -> str:
    """Return the report of runs as one HTML document.

    Args:
        runs: Folders of results, a method each.
        target: File of the page; links to CSV files are relative to it.
        progress: Receives progress updates and messages.
        title: Heading of the page.
        worst: Number of the worst answers of each method that are shown.
        data: Path of the pairs; None is where they were scored.

    Raises:
        RunError: A folder holds no results.
    """
    results, names = gathered(runs)
    cards, problems = _make_cards(results, names, worst, progress, data)
    tables, figures = _make_tables(runs, results), _draw_figures(runs, progress)
    breaks = _find_breaks(results, names)
    contents = {
        "scored": "What was scored on what",
        **{key: _title(key, table) for key, table in tables.items()},
        **{key: report_figures()[key.removeprefix("figure-")].heading for key in figures},
        **({"breaks": "Ranges in which a method breaks"} if breaks else {}),
        **({"failures": f"Worst answers, {worst} of each method"} if cards or problems else {}),
        "files": "Files",
    }
    return render_html(
        "page.html",
        version=__version__,
        title=title,
        notes=collect_notes(results),
        contents=contents,
        methods=_describe_methods(results, names),
        sets=[_describe_set(result, name_method(result, names)) for result in results],
        tables={key: shape_table(table, _DIGITS) for key, table in tables.items()},
        figures=figures,
        breaks=breaks,
        cards=cards,
        problems=list(dict.fromkeys(problems)),
        links=_link_files(results, names, target),
        css=read_own_text("page.css"),
        script=read_own_text("page.js"),
    )


def _by_method(results: Sequence[Result], names: Any) -> dict[str, list[Result]]:
    methods: dict[str, list[Result]] = {}
    for result in results:
        methods.setdefault(name_method(result, names), []).append(result)
    return methods


def _describe_methods(results: Sequence[Result], names: Any) -> list[list[Cell]]:
    rows = []
    for name, group in _by_method(results, names).items():
        pairs = sum(result.record["summary"]["pairs"] for result in group)
        devices = dict.fromkeys(str(result.record["device"]) for result in group)
        identity = str(group[0].record["request"]["identity"])
        cells = [("text", name), ("n", f"{len(group)}"), ("n", f"{pairs:,}"), ("hash", identity)]
        rows.append([*cells, ("text", ", ".join(devices))])
    return rows


def _describe_set(result: Result, name: str) -> list[Cell]:
    record, summary = result.record, result.record["summary"]
    request, speed = record["request"], record["pairs_per_second"]
    versions = ", ".join(f"{package} {number}" for package, number in record["versions"].items())
    return [
        ("text", name),
        ("text", result.set),
        ("n", f"{summary['pairs']:,}"),
        ("n", f"{record['data'].get('whole', summary['pairs']):,}"),
        ("n", f"{summary['positive_pairs']:,}"),
        ("hash", str(request["identity"])),
        ("hash", str(request["fingerprint"])),
        ("text", str(record["device"])),
        ("n", f"{speed:.1f}" if speed else "-"),
        ("text", versions),
    ]


def _make_tables(runs: Sequence[Path], results: Sequence[Result]) -> dict[str, Table]:
    formats = {result.record["data"].get("format") for result in results}
    tables = {}
    for layout in LAYOUTS:
        if layout in _DETECTED and _DETECTED[layout] not in formats:
            continue
        choices = TableOptions(layout, published=layout != "wide", intervals=True)
        try:
            tables[f"table-{layout}"] = make_table(runs, choices)
        except RunError:
            continue  # none of the sets that this layout shows
    return tables


def _title(key: str, table: Table) -> str:
    layout = key.removeprefix("table-")
    return table.title if layout == "wide" else f"{table.title} ({layout})"


def _draw_figures(runs: Sequence[Path], progress: Progress) -> dict[str, str]:
    """Return the figures as SVG in base64, by the ids of their sections."""
    images = {}
    for name in report_figures():
        try:
            figure = draw(name, runs, FigureOptions(), progress)
        except RunError:
            continue  # the results lack what this figure shows
        images[f"figure-{name}"] = base64.b64encode(render(figure, "svg")).decode()
    return images


def _find_breaks(results: Sequence[Result], names: Any) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for name, label in PARAMETERS.items():
        for run, means in breakdowns(results, name, "iou").items():
            ranges = ", ".join(f"{low:.3g} to {high:.3g}" for low, high in means.broken())
            if ranges:
                rows.append([("text", names[run]), ("text", label), ("text", ranges)])
    return rows


def _make_cards(
    results: Sequence[Result], names: Any, worst: int, progress: Progress, data: Path | None
) -> tuple[list[Card], list[str]]:
    methods = _by_method(results, names)
    cards: list[Card] = []
    problems: list[str] = []
    progress.start("failures", worst * len(methods))
    for name, group in methods.items():
        more_cards, more_problems = make_cards(group, name, worst, progress, data)
        cards += more_cards
        problems += more_problems
    progress.stop()
    return cards, problems


def _link_files(
    results: Sequence[Result], names: Any, target: Path
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the files of runs and results, by what they are of, and their relative addresses."""

    def link(path: Path) -> tuple[str, str]:
        relative = os.path.relpath(path.absolute(), target.absolute().parent)
        return path.name, quote(os.fsencode(relative), safe="/@+,=~")

    links = []
    for run in dict.fromkeys(result.path.parent for result in results):
        if (run / "summary.csv").exists():
            links.append((names[run], [link(run / "summary.csv")]))
    for result in results:
        paths = [result.path / name for name in (ROWS, LEFT_OUT, NIST_ROWS, RESULT)]
        files = [link(path) for path in paths if path.exists()]
        links.append((f"{name_method(result, names)}, {result.set}", files))
    return links
