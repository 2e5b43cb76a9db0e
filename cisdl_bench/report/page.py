"""The report: one page that needs no network, with tables, figures and the worst failures."""

import base64
import os
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
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
from cisdl_bench.report.gallery import Card, cards_of, gallery_html
from cisdl_bench.report.methods import gathered, name_of
from cisdl_bench.report.tables import LAYOUTS, Choices, make_table, notes_of
from cisdl_bench.report.write_table import to_html
from cisdl_bench.results.results import Result
from cisdl_bench.scoring.run import LEFT_OUT, ROWS

_DIGITS = 4


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
        target: Where the page will lie; links to CSV files are relative to it.
        progress: Hears how it goes on.
        title: Its heading.
        worst: How many of the worst answers of each method are shown.
        data: Where pairs are; None is where they were scored.

    Raises:
        RunError: A folder holds no results.
    """
    results, names = gathered(runs)
    notes = notes_of(results)
    cards, amiss = _cards(results, names, worst, progress, data)
    sections = [
        ("scored", "What was scored on what", _inventory(results, names)),
        *_tables(runs, results),
        *_figures(runs, progress),
        ("breaks", "Ranges in which a method breaks", _breaks(results, names)),
        ("failures", f"Worst answers, {worst} of each method", _failures(cards, amiss)),
        ("files", "Files", _links(results, names, target)),
    ]
    sections = [(key, heading, body) for key, heading, body in sections if body]
    nav = " ".join(f'<a href="#{key}">{escape(heading)}</a>' for key, heading, _ in sections)
    body = "".join(
        f'<section id="{key}"><h2>{escape(heading)}</h2>{body}</section>'
        for key, heading, body in sections
    )
    said = "".join(f"<p class=note>{escape(note)}</p>" for note in notes)
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
        f'<meta name="generator" content="cisdl-bench {__version__}">'
        f"<title>{escape(title)}</title><style>{_text('page.css')}</style>"
    )
    return (
        f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{escape(title)}</h1>'
        f"{said}<nav>{nav}</nav>{body}<script>{_text('page.js')}</script></body></html>\n"
    )


def _text(name: str) -> str:
    return (files("cisdl_bench.report") / name).read_text("utf-8")


def _row(cells: Sequence[tuple[str, str]]) -> str:
    return "<tr>" + "".join(f"<td class={kind}>{value}</td>" for kind, value in cells) + "</tr>"


def _inventory(results: Sequence[Result], names: Any) -> str:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(name_of(result, names), []).append(result)
    short = [
        [
            ("text", escape(name)),
            ("n", f"{len(group)}"),
            ("n", f"{sum(r.record['summary']['pairs'] for r in group):,}"),
            ("text", _hash(str(group[0].record["request"]["identity"]))),
            ("text", escape(", ".join(dict.fromkeys(str(r.record["device"]) for r in group)))),
        ]
        for name, group in groups.items()
    ]
    whole = [_scored(result, name_of(result, names)) for result in results]
    heads = ["method", "set", "pairs", "of", "positive", "checkpoint", "data", "device"]
    every = _table([*heads, "pairs/s", "versions"], whole)
    summary = _table(["method", "sets", "pairs", "checkpoint", "device"], short)
    return (
        f"{summary}<details><summary>Every set, with hashes and versions</summary>{every}</details>"
    )


def _scored(result: Result, name: str) -> list[tuple[str, str]]:
    record, summary = result.record, result.record["summary"]
    request, speed = record["request"], record["pairs_per_second"]
    versions = ", ".join(f"{name} {each}" for name, each in record["versions"].items())
    return [
        ("text", escape(name)),
        ("text", escape(result.set)),
        ("n", f"{summary['pairs']:,}"),
        ("n", f"{record['data'].get('whole', summary['pairs']):,}"),
        ("n", f"{summary['positive_pairs']:,}"),
        ("text", _hash(str(request["identity"]))),
        ("text", _hash(str(request["fingerprint"]))),
        ("text", escape(str(record["device"]))),
        ("n", f"{speed:.1f}" if speed else "-"),
        ("text", escape(versions)),
    ]


def _table(heads: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]]) -> str:
    head = "".join(f"<th>{escape(word)}</th>" for word in heads)
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, rows))}</tbody>"
    return f'<div class=wide><table class="sortable">{body}</table></div>'


def _hash(text: str) -> str:
    return f'<code title="{escape(text)}">{escape(text[:16])}</code>'


#: Of the detection tables, the format of the pairs that each is published for.
_DETECTED = {"paper-3": "casia", "paper-4": "mfc"}


def _tables(runs: Sequence[Path], results: Sequence[Result]) -> Iterator[tuple[str, str, str]]:
    formats = {result.record["data"].get("format") for result in results}
    for layout in LAYOUTS:
        if layout in _DETECTED and _DETECTED[layout] not in formats:
            continue
        paper = layout != "wide"
        try:
            table = make_table(runs, Choices(layout, published=paper, intervals=True))
        except RunError:
            continue  # none of the sets that this layout shows
        heading = f"{table.title} ({layout})" if paper else table.title
        yield f"table-{layout}", heading, to_html(table, _DIGITS)


def _figures(runs: Sequence[Path], progress: Progress) -> Iterator[tuple[str, str, str]]:
    for kind, figure in report_figures().items():
        heading = figure.heading
        try:
            drawn = draw(kind, runs, FigureOptions(), progress)
        except RunError:
            continue  # the results lack what this figure shows
        code = base64.b64encode(render(drawn, "svg")).decode()
        image = (
            f'<img class="figure" alt="{escape(heading)}" src="data:image/svg+xml;base64,{code}">'
        )
        yield f"figure-{kind}", heading, image


def _breaks(results: Sequence[Result], names: Any) -> str:
    lines: list[list[tuple[str, str]]] = []
    for name, label in PARAMETERS.items():
        for run, means in breakdowns(results, name, "iou").items():
            ranges = ", ".join(f"{low:.3g} to {high:.3g}" for low, high in means.broken())
            if ranges:
                cells = (names[run], label, ranges)
                lines.append([("text", escape(cell)) for cell in cells])
    if not lines:
        return ""
    return _table(["method", "parameter", "IoU is below half of its best"], lines)


def _cards(
    results: Sequence[Result], names: Any, worst: int, progress: Progress, data: Path | None
) -> tuple[list[Card], list[str]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(name_of(result, names), []).append(result)
    cards: list[Card] = []
    amiss: list[str] = []
    progress.start("failures", worst * len(groups))
    for name, group in groups.items():
        more, wrong = cards_of(group, name, worst, progress, data)
        cards, amiss = cards + more, amiss + wrong
    progress.stop()
    return cards, amiss


def _failures(cards: Sequence[Card], amiss: Sequence[str]) -> str:
    said = "".join(f"<p class=note>{escape(line)}</p>" for line in dict.fromkeys(amiss))
    if not cards:
        return said
    legend = (
        "<p class=note>Probe left, donor right. <b class=truth>Truth</b>, <b class=found>found"
        "</b>. The number is the mean IoU of both masks, or, of a pair without them, 1 minus the "
        "distance of its score from its label; of equal ones those with a region to see come "
        "first. The same number of each set is shown.</p>"
    )
    return f"{said}{legend}{gallery_html(cards)}"


def _links(results: Sequence[Result], names: Any, target: Path) -> str:
    def to(path: Path) -> str:
        relative = os.path.relpath(path.absolute(), target.absolute().parent)
        return escape(quote(os.fsencode(relative), safe="/@+,=~"))

    items = []
    for run in dict.fromkeys(result.path.parent for result in results):
        summary = run / "summary.csv"
        if summary.exists():
            items.append(f'<li><a href="{to(summary)}">{escape(names[run])}: summary.csv</a>')
    for result in results:
        there = [result.path / name for name in (ROWS, LEFT_OUT, NIST_ROWS, "result.json")]
        links = ", ".join(f'<a href="{to(p)}">{p.name}</a>' for p in there if p.exists())
        items.append(f"<li>{escape(name_of(result, names))}, {escape(result.set)}: {links}")
    return f"<ul>{''.join(items)}</ul>"
