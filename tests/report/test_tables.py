import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from conftest import Heard, make

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.cli.main import main
from cisdl_bench.errors import RunError
from cisdl_bench.models.find import find_detector
from cisdl_bench.report import published
from cisdl_bench.report.html_table import shape_table
from cisdl_bench.report.tables import TableOptions, make_table
from cisdl_bench.report.write_table import to_csv, to_latex, to_markdown
from cisdl_bench.scoring.jobs import make_score_jobs
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.run import score


@pytest.fixture(scope="module")
def runs(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    for name, difficulty in (("combination", "normal"), ("combination", "easy"), ("raw", "easy")):
        make(coco, root / "data", name, difficulty=difficulty, pairs=6)
    make(coco, root / "data", "training", pairs=12)
    found = []
    for name in ("oracle", "random"):
        chosen = ([], ["training"])
        data, lists = [root / "data"], ListOptions()
        jobs = [
            job for names in chosen for job in make_score_jobs(data, names, None, lists, Heard())
        ]
        score(find_detector(name), jobs, root / name, ScoreOptions(), Heard())
        found.append(root / name)
    return found


def test_paper_1_has_one_line_a_method(runs: list[Path]) -> None:
    table = make_table(runs, TableOptions("paper-1"))
    assert table.labels == ("method",)
    assert table.values[:4] == (
        ("difficult", "iou"),
        ("difficult", "mcc"),
        ("difficult", "nmm"),
        ("normal", "iou"),
    )
    assert table.frame["method"].tolist() == ["oracle", "random"]
    assert table.frame["normal/iou"][0] == 1
    assert table.frame["easy/nmm"][0] == 1
    assert 0 < table.frame["easy/iou"][1] < 0.5
    assert (0, ("easy", "iou")) in table.best()
    assert (1, ("easy", "iou")) not in table.best()


def test_published_rows_are_the_papers_and_take_no_part(runs: list[Path]) -> None:
    table = make_table(runs, TableOptions("paper-2", published=True))
    frame = table.frame
    assert frame["source"].tolist() == ["published"] * 3 + ["measured"] * 2
    assert set(frame["transformation"]) == {"raw"}  # the only one that was scored
    assert frame["difficult/iou"][2] == "0.6923"
    assert all(line >= 3 for line, _ in table.best())
    assert "Table II of Liu" in table.note
    assert "| DMAC-adv (published) | Raw | 0.6923 | 0.7989 | 0.4165 |" in to_markdown(table, 4)


def test_sets_are_chosen_by_other_words_for_difficulties(runs: list[Path]) -> None:
    table = make_table(runs, TableOptions("wide", sets=("combination-medi",)))
    assert set(table.frame["set"]) == {"combination-normal"}


def test_table_1_has_the_parameters(runs: list[Path]) -> None:
    table = make_table(runs, TableOptions("paper-1", published=True))
    assert len(table.frame) == 21 + 2
    best = table.frame[table.frame["difficult/iou"] == "0.5433"].iloc[0]
    assert (best["method"], best["lambda_det"], best["learning_rate"]) == (
        "DMAC+adv-bce",
        "0.01",
        "1e-5",
    )


@pytest.mark.parametrize(
    ("layout", "lines", "last"),
    [
        ("paper-1", 63, ("DMAC+adv-det", "0.8655")),
        ("paper-2", 54, ("DMAC-adv", "0.8564")),
        ("paper-3", 10, ("DMAC-adv-det†", "0.9556")),
        ("paper-4", 6, ("DMAC-adv-det†", "0.3127")),
    ],
)
def test_published_tables_are_whole(layout: str, lines: int, last: tuple[str, str]) -> None:
    rows = published.rows(layout)
    assert len(rows) == lines
    assert (rows[-1]["method"], list(rows[-1].values())[-1]) == last
    for row in rows:
        for name in ("iou", "mcc", "nmm", "precision", "recall", "f1", "auc", "eer"):
            assert name not in row or -1 <= float(row[name]) <= 1


def test_detection_layouts(runs: list[Path]) -> None:
    table = make_table(
        runs, TableOptions("paper-3", published=True, rules=("mask", "share", "own"))
    )
    measured = table.frame[table.frame["source"] == "measured"]
    names = ["oracle", "oracle-loc", "oracle-det", "random", "random-loc", "random-det"]
    assert measured["method"].tolist() == names
    assert measured["auc"].tolist()[:3] == [1, 1, 1]
    assert set(measured["set"]) == {"training"}
    assert len(table.frame) == 10 + 6
    assert "eer" in make_table(runs, TableOptions("paper-4")).frame


def test_csv_keeps_every_digit(runs: list[Path], tmp_path: Path) -> None:
    table = make_table(runs, TableOptions("wide", intervals=True))
    (tmp_path / "table.csv").write_text(to_csv(table, 2))
    back = pd.read_csv(tmp_path / "table.csv", dtype=str)
    assert [float(x) for x in back["iou"]] == table.frame["iou"].tolist()
    assert {"iou_low", "iou_high"} <= set(back)
    assert len(back) == 8


def test_markdown_has_intervals_and_digits(runs: list[Path]) -> None:
    text = to_markdown(make_table(runs[:1], TableOptions("paper-1", intervals=True)), 2)
    assert "| oracle | - | - | - | 1.00 [1.00, 1.00] |" in text
    assert "**" not in text  # one method alone is not the best of anything


def test_latex_has_rules_and_bold(runs: list[Path]) -> None:
    text = to_latex(make_table(runs, TableOptions("paper-1", published=True)), 3)
    for piece in (
        r"\toprule",
        r"\cmidrule(lr){2-4}",
        r"\bottomrule",
        r"\textbf{1.000}",
        r"$-$0.4382",
    ):
        assert piece in text
    assert r"$\lambda_{det}$" in text
    assert "documentclass" not in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex")
@pytest.mark.parametrize("layout", ["paper-1", "paper-2", "paper-3", "paper-4", "wide"])
def test_standalone_latex_compiles(runs: list[Path], layout: str, tmp_path: Path) -> None:
    table = make_table(runs, TableOptions(layout, published=layout != "wide", intervals=True))
    (tmp_path / "table.tex").write_text(to_latex(table, 4, standalone=True))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"],
        cwd=tmp_path,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout[-1500:]
    assert b"Overfull" not in done.stdout


def test_a_layout_without_its_sets_is_refused(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"expected results of `cisdl-bench score`, got none"):
        make_table([tmp_path], TableOptions("wide"))
    with pytest.raises(RunError, match=r"expected results of combination, got raw-easy"):
        make_table([runs[0] / "raw-easy"], TableOptions("paper-1"))


def test_intervals_are_shown_where_they_are_asked_for(runs: list[Path]) -> None:
    for intervals in (False, True):
        text = to_markdown(make_table(runs, TableOptions("wide", intervals=intervals)), 4)
        assert ("[" in text) == intervals


def test_a_table_of_some_sets_with_a_caption_of_ones_own(runs: list[Path], tmp_path: Path) -> None:
    def write(*words: str) -> Result:
        return CliRunner().invoke(main, ["table", *map(str, runs), *words])

    target = tmp_path / "table.tex"
    done = write("--set", "raw", "--intervals", "--caption", "Ours & theirs", "-o", str(target))
    assert done.exit_code == 0, done.output
    text = target.read_text()
    assert r"\caption{Ours \& theirs." in text
    assert "raw-easy" in text
    assert "combination" not in text
    assert r"\label" not in text
    assert text.index(r"\setlength{\belowcaptionskip}") < text.index(r"\caption")
    assert r"{\scriptsize {[}1.0000, 1.0000]}" in text  # below its number
    assert "1.0000 {[}" not in text
    done = write("--label", "tab:ours", "-f", "latex")
    assert r"\label{tab:ours}" in done.stdout
    assert (
        "<caption>Mine &lt;b&gt;</caption>" in write("--caption", "Mine <b>", "-f", "html").stdout
    )
    for words, said in (
        (("--set", "nothing"), "--set nothing: expected a set that was scored"),
        (("--label", "a}b", "-f", "latex"), "expected letters"),
        (("--label", "a"), "--label is for latex, not for markdown"),
        (("--caption", "a", "-f", "csv"), "--caption is for latex and html"),
    ):
        refused = write(*words)
        assert refused.exit_code == 2
        assert said in refused.output


def test_html_has_measured_rows_first_and_no_empty_ones(runs: list[Path]) -> None:
    shaped = shape_table(make_table(runs, TableOptions("paper-1", published=True)), 3)
    assert [block["source"] for block in shaped["blocks"]] == ["measured", "published"]
    measured = shaped["blocks"][0]["rows"]
    assert [row["labels"][0] for row in measured] == ["oracle", "random"]
    assert [cell["text"] for cell in measured[0]["cells"]] == ["1.000"] * 6  # of two difficulties
    assert len(shaped["blocks"][1]["rows"]) == 21
    shaped = shape_table(make_table(runs, TableOptions("paper-1", intervals=True)), 3)
    groups, leaves = shaped["heads"]
    assert [cell["text"] for cell in groups] == ["Method", "Normal", "Easy"]
    assert all(cell["tip"] for cell in leaves)
    assert shaped["blocks"][0]["rows"][0]["cells"][0]["ends"] == ["1.000", "1.000"]
