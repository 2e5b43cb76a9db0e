"""A user's text in tables, pages and figures: printed as it is, read as nothing else."""

import csv
import json
import shutil
import warnings
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import Heard

from cisdl_bench.report.cells import without_advice
from cisdl_bench.report.draw import draw, render
from cisdl_bench.report.drawing import plain
from cisdl_bench.report.figure import FigureOptions
from cisdl_bench.report.page import page
from cisdl_bench.report.tables import TableOptions, make_table
from cisdl_bench.report.write_table import FORMATS, to_latex, to_markdown

NASTY = '=1+1|[x] *b* $\\alpha$ <script>alert("1")</script> & 5% _a_ #{}~^`c`'


@pytest.fixture
def run(scored: list[Path], tmp_path: Path) -> Path:
    """A run whose detector has a name that every format reads as something else."""
    folder = tmp_path / "run & more #1?"
    shutil.copytree(scored[1], folder)
    for path in folder.glob("*/result.json"):
        record = json.loads(path.read_text())
        record["request"]["detector"] = NASTY
        record["data"]["notes"] = ["built-in pictures: not the paper's; give COCO by --coco", NASTY]
        record["data"]["source"] = {
            "description": "300 photographs",
            "version": "1.0",
            "licence": "research <b>only</b>",
        }
        path.write_text(json.dumps(record))
    return folder


def test_tables_print_it_as_it_is(run: Path) -> None:
    table = make_table([run], TableOptions("wide"))
    rows = list(csv.DictReader(FORMATS["csv"](table, 4).splitlines()))
    assert {row["method"].split(" @ ")[0] for row in rows} == {f"'{NASTY}"}  # no formula
    text = to_markdown(table, 4)
    line = text.splitlines()[2]
    assert line.startswith(
        r'| =1+1\|\[x\] \*b\* $\\alpha$ \<script\>alert("1")\</script\> & 5% \_a\_ #{}~^\`c\` '
    )
    assert len(line.replace(r"\|", "").split("|")) == len(text.splitlines()[1].split("|"))
    latex = to_latex(table, 4)
    begins = r"=1+1\textbar{}{[}x] {*}b{*} \$\textbackslash{}alpha\$ \textless{}script"
    assert begins in latex
    assert "\n[" not in latex  # after the end of a row: its argument
    assert "--coco" not in latex
    assert "Photographs: 300 photographs, version 1.0, licence: research" in latex
    assert "--coco" in text
    html = FORMATS["html"](table, 4)
    assert "<script>" not in html


def test_advice_is_no_part_of_a_caption() -> None:
    note = "published: Table I; built-in pictures: x; give COCO by --coco; a - b; 2 of 3"
    assert without_advice(note) == "published: Table I; built-in pictures: x; a - b; 2 of 3"


class Scripts(HTMLParser):
    """Counts scripts and keeps links."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts, self.links = 0, []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.links += [value for name, value in attributes if name == "href"]


def test_the_page_prints_it_as_it_is(run: Path, tmp_path: Path) -> None:
    text = page([run], tmp_path / "report.html", Heard(), worst=2, title=NASTY)
    found = Scripts()
    found.feed(text)
    assert found.scripts == 1  # the page's own
    assert "Photographs: 300 photographs, version 1.0, licence: research &lt;b&gt;" in text
    assert "give COCO by --coco" not in text  # advice to its author, not to its readers
    assert any(link.startswith("run%20%26%20more%20%231%3F/") for link in found.links)
    assert "AUC (mask)" in text
    assert "Mask auc" not in text


def test_figures_of_any_letters_warn_of_nothing(run: Path) -> None:
    for path in run.glob("*/result.json"):
        path.write_text(path.read_text().replace(json.dumps(NASTY), '"\u62fc\u63a5\\u0007"'))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("heatmap", "roc"):
            assert render(draw(kind, [run], FigureOptions(), Heard()), "png").startswith(b"\x89PNG")


def test_figures_print_dollars(run: Path) -> None:
    assert plain("a$b$") == r"a\$b\$"
    assert len(plain("x" * 500)) == 60
    for kind in ("heatmap", "parameters", "robustness", "roc", "det"):
        figure = draw(kind, [run], FigureOptions(count=1), Heard())
        assert render(figure, "svg").startswith(b"<?xml"), kind
    figure = draw("roc", [run], FigureOptions(), Heard())
    label = figure.axes[0].get_legend().get_texts()[0].get_text()
    assert r"\$" in label
