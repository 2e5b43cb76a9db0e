"""The report: one page that needs no network, from the verdict to the worst answers."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cisdl_bench import __version__
from cisdl_bench.errors import RunError
from cisdl_bench.metrics.registry import DETECTION, LOCALIZATION, POOLED, RULES
from cisdl_bench.nist.pairs import NIST_ROWS
from cisdl_bench.progress import Progress
from cisdl_bench.report.cells import without_advice
from cisdl_bench.report.gallery import OTHERS, Card, choose_size, make_cards
from cisdl_bench.report.methods import gathered, name_method
from cisdl_bench.report.page_figures import draw_page_figures, find_breaks
from cisdl_bench.report.page_tables import Cell, make_page_tables
from cisdl_bench.report.page_verdict import shape_verdict
from cisdl_bench.report.palette import style_variables
from cisdl_bench.report.provenance import (
    describe_days,
    describe_versions,
    list_provenance,
    shorten_hash,
)
from cisdl_bench.report.tables import collect_notes
from cisdl_bench.report.templating import read_own_text, render_html
from cisdl_bench.results.result import Result
from cisdl_bench.scoring.record import RESULT
from cisdl_bench.scoring.result_folder import LEFT_OUT
from cisdl_bench.scoring.rows import ROWS
from cisdl_bench.training.record import EVALUATION

WORST = 24


def page(
    runs: Sequence[Path],
    target: Path,
    progress: Progress,
    *,
    title: str = "cisdl-bench report",
    worst: int = WORST,
    data: Path | None = None,
) -> str:
    """Return the report of runs as one HTML document.

    Args:
        runs: Folders of results, a method each; folders of training runs add their growth curves.
        target: File of the page; links to CSV files are relative to it.
        progress: Receives progress updates and messages.
        title: Heading of the page.
        worst: Number of the worst answers of each method that are shown.
        data: Path of the pairs; None is where they were scored.

    Raises:
        RunError: A folder holds no results, or none does.
    """
    trained = [run for run in runs if (run / EVALUATION).is_file()]
    scored = [run for run in runs if run not in trained]
    if not scored:
        where, then = ", ".join(map(str, runs)), "Name the folder of a scoring run too"
        raise RunError.expected(where, "results of `cisdl-bench score`", "training runs", then)
    results, names = gathered(scored)
    cards, problems = _make_cards(results, names, worst, progress, data)
    tables = make_page_tables(scored, results)
    before, after = draw_page_figures(scored, trained, progress)
    groups = [*before, *after]
    contents = {
        "verdict": "Verdict",
        **{_key(group): _headings(group) for group in before},
        **{key: table["title"] for key, table in tables.items()},
        **{_key(group): _headings(group) for group in after},
        **({"failures": "Answers"} if cards or problems else {}),
        "definitions": "Definitions",
        "files": "Files",
    }
    drawn = {drawing["name"] for group in groups for drawing in group}
    breaks = find_breaks(results, names) if "parameters" in drawn else []
    return render_html(
        "page.html",
        version=__version__,
        title=title,
        facts=_list_facts(results, names),
        notes=_list_notes(results),
        contents=contents,
        **shape_verdict(results, names),
        provenance=list_provenance(results, names, runs, target),
        tables=tables,
        figures={"before": before, "after": after},
        break_headings=_headed("Method Parameter Range n IoU Interval", "text text text n n n"),
        breaks=breaks,
        worst=worst,
        cards=cards,
        problems=list(dict.fromkeys(problems)),
        definitions=list_definitions(),
        set_headings=_headed(
            "Method Set Pairs of Positive Checkpoint Data Device Pairs/s Versions",
            "text text n n n hash hash text n text",
        ),
        set_rows=[_describe_set(result, name_method(result, names)) for result in results],
        links=_link_files(results, names, target),
        variables=style_variables(),
        css=read_own_text("page.css"),
        script=read_own_text("page.js"),
    )


def _list_notes(results: Sequence[Result]) -> list[str]:
    """Return what a reader must know of the data, without advice on what to type."""
    sets = {result.set for result in results}
    notes = [note for note in map(without_advice, collect_notes(results)) if note]
    named = [note.partition(":")[0] in sets for note in notes]  # a set's name stays as it is
    return [
        note if is_named else f"{note[:1].upper()}{note[1:]}"
        for note, is_named in zip(notes, named, strict=True)
    ]


def _key(group: Sequence[Mapping[str, Any]]) -> str:
    return "-".join(str(drawing["key"]) for drawing in group)


def _headings(group: Sequence[Mapping[str, Any]]) -> str:
    return " and ".join(str(drawing["heading"]) for drawing in group)


def _headed(headings: str, kinds: str) -> list[tuple[str, str]]:
    return list(zip(kinds.split(), headings.split(), strict=True))


def _list_facts(results: Sequence[Result], names: Mapping[Path, str]) -> list[str]:
    """Return what was compared on what, and when, a few words each."""
    sets = {(r.set, str(r.record["request"]["fingerprint"])): r for r in results}
    pairs = sum(result.record["summary"]["pairs"] for result in sets.values())
    counts = [(len(names), "method"), (len(sets), "set"), (pairs, "pair")]
    words = [f"{n:,} {word}{'s' if n != 1 else ''}" for n, word in counts]
    return [*words, f"scored {describe_days(results)}", f"cisdl-bench {__version__}"]


def list_definitions() -> list[tuple[str, str]]:
    """Return the metrics' titles and the detection scores' names with their definitions."""
    metrics = {**DETECTION, **LOCALIZATION, **POOLED}  # F1 is defined in LOCALIZATION, for both
    ordered = {**LOCALIZATION, **DETECTION, **POOLED}
    lines = [(metrics[name].title, metrics[name].definition) for name in ordered]
    lines += [(f"Score ({name})", rule.definition) for name, rule in RULES.items()]
    return [(term, text) for term, text in lines if text]


def _describe_set(result: Result, name: str) -> list[Cell]:
    record, summary = result.record, result.record["summary"]
    request, speed = record["request"], record["pairs_per_second"]
    return [
        ("text", name),
        ("text", result.set),
        ("n", f"{summary['pairs']:,}"),
        ("n", f"{record['data'].get('whole', summary['pairs']):,}"),
        ("n", f"{summary['positive_pairs']:,}"),
        ("hash", shorten_hash(str(request["identity"]))),
        ("hash", shorten_hash(str(request["fingerprint"]))),
        ("text", str(record["device"])),
        ("n", f"{speed:.1f}" if speed else "-"),
        ("text", describe_versions(result)),
    ]


def _make_cards(
    results: Sequence[Result],
    names: Mapping[Path, str],
    worst: int,
    progress: Progress,
    data: Path | None,
) -> tuple[list[Card], list[str]]:
    methods: dict[tuple[str, int], list[Result]] = {}
    for result in results:
        number = list(names).index(result.path.parent)
        methods.setdefault((name_method(result, names), number), []).append(result)
    cards: list[Card] = []
    problems: list[str] = []
    count = (worst + sum(OTHERS.values())) * len(methods) if worst else 0
    size = choose_size(2 * count)
    progress.start("answers", count)
    for method, group in methods.items():
        more_cards, more_problems = make_cards(group, method, worst, progress, data, size)
        cards += more_cards
        problems += more_problems
    progress.stop()
    return cards, problems


def _link_files(
    results: Sequence[Result], names: Mapping[Path, str], target: Path
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
