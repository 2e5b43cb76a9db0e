"""A metric is one entry: it then stands wherever metrics do."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import Heard

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.cli.main import main
from cisdl_bench.metrics.counts import Counts
from cisdl_bench.metrics.registry import DETECTION, LOCALIZATION, RULES, Metric
from cisdl_bench.metrics.summary import ScoredPairs, summarise
from cisdl_bench.models.find import find_detector
from cisdl_bench.report.page import list_definitions
from cisdl_bench.report.tables import TableOptions, make_table
from cisdl_bench.report.write_table import to_csv, to_latex
from cisdl_bench.results.compare import compare
from cisdl_bench.results.describe import describe_result
from cisdl_bench.results.result import find_results
from cisdl_bench.results.run_summary import write_summary
from cisdl_bench.scoring.jobs import make_score_jobs
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.run import score
from cisdl_bench.training.checkpoint import Run
from cisdl_bench.training.log import open_log


@pytest.fixture
def wrong_px(monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up metric, the number of wrong pixels, and one of detection."""
    wrong = Metric(
        "Wrong px",
        lambda counts, _: 0.0 + counts.fp + counts.fn,
        high=1e6,
        higher_is_better=False,
        headline=True,
        form=".1f",
        definition="Number of pixels that are wrong.",
    )
    monkeypatch.setitem(LOCALIZATION, "wrong_px", wrong)
    share = Metric("Positives", lambda labels, scores, least: float((scores > least).mean()))
    monkeypatch.setitem(DETECTION, "positives", share)


@pytest.fixture
def runs(made: Path, tmp_path: Path, wrong_px: None) -> list[Path]:
    jobs = make_score_jobs([made], ["training"], None, ListOptions(), Heard())
    for name in ("empty", "oracle"):
        score(find_detector(name), jobs, tmp_path / name, ScoreOptions(), Heard())
        write_summary(tmp_path / name)
    return [tmp_path / "empty", tmp_path / "oracle"]


def test_a_new_metric_is_one_entry(runs: list[Path]) -> None:
    empty, oracle = (find_results(run)[0].record for run in runs)
    wrong = empty["summary"]["wrong_px"]
    assert wrong > 100
    assert empty["summary"]["wrong_px_low"] < wrong < empty["summary"]["wrong_px_high"]
    assert oracle["summary"]["wrong_px"] == 0
    assert oracle["summary"]["mask_positives"] == pytest.approx(2 / 3)
    assert f"Wrong px {wrong:.1f}" in describe_result(empty)
    with (runs[0] / "summary.csv").open() as file:
        (line,) = csv.DictReader(file)
    assert float(line["wrong_px"]) == wrong
    table = make_table(runs, TableOptions("wide"))
    first, second = csv.DictReader(io.StringIO(to_csv(table, 4)))
    assert (float(first["wrong_px"]), float(second["wrong_px"])) == (wrong, 0)
    assert "Wrong px" in to_latex(table, 4)
    assert "Positives (mask)" in to_latex(table, 4)
    assert ("Wrong px", "Number of pixels that are wrong.") in list_definitions()
    assert (1, ("wrong_px",)) in table.best()  # fewer are better
    comparisons, changes = compare(*runs, "wrong_px")
    (found,) = (each for each in comparisons if each.metric == "wrong_px")
    assert (found.a, found.b) == (pytest.approx(wrong), 0)
    assert changes[0].a > changes[0].b == 0


def test_the_command_line_knows_it(runs: list[Path], tmp_path: Path) -> None:
    words = ["compare", *map(str, runs), "--metric", "wrong_px", "--json"]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0
    assert "wrong_px" in {row["metric"] for row in json.loads(shown.stdout)["comparisons"]}
    drawn = tmp_path / "map.png"
    words = ["plot", "heatmap", *map(str, runs), "--metric", "wrong_px", "-o", str(drawn)]
    assert CliRunner().invoke(main, words).exit_code == 0
    assert drawn.read_bytes()
    refused = CliRunner().invoke(main, ["compare", *map(str, runs), "--metric", "wrong"])
    assert refused.exit_code == 2
    assert "wrong_px" in refused.output


def test_comparing_by_what_is_undefined_says_so(
    runs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    undefined = Metric("ZZ", lambda counts, _: np.full(counts.tp.shape, np.nan))
    monkeypatch.setitem(LOCALIZATION, "zz", undefined)
    for metric, said in (("zz", "zz is undefined on every pair"), ("iou", "")):
        for more in ([], ["--json"]):
            words = ["compare", *map(str, runs), "--metric", metric, *more]
            shown = CliRunner().invoke(main, words)
            assert shown.exit_code == 0, shown.output
            assert shown.stderr.startswith(said)
            assert bool(shown.stderr) == bool(said)


def test_training_logs_it(wrong_px: None, tmp_path: Path) -> None:
    run = Run(None, None, tmp_path, "x", {}, None, 1)  # type: ignore[arg-type]
    assert open_log(run, "evaluation.csv").columns[-1] == "wrong_px"


def test_each_number_has_a_key_of_its_own() -> None:
    counts = Counts(*np.array([[[2, 4]] * 2, [[1, 0]] * 2, [[2, 0]] * 2, [[5, 6]] * 2]))
    known, inside = np.ones((2, 2), dtype=bool), np.full((2, 2), 0.7)
    pairs = ScoredPairs(np.array([1, 0]), counts, known, inside, np.array([0.9, 0.1]))
    with_interval = [metric for metric in DETECTION.values() if metric.interval]
    by_rule = len(DETECTION) + 2 * len(with_interval)
    # Six counts of pairs and masks; of a metric its mean, both ends and how often it is undefined.
    assert len(summarise(pairs, resamples=2)) == 6 + 4 * len(LOCALIZATION) + len(RULES) * by_rule
    # Of the tables that put metrics beside other columns.
    others = {"detector", "set", "perturbation", "identity", "fingerprint", "spec_sha256", "device"}
    others |= {"pairs_per_second", "step", "auc", "own_auc"}
    assert not others & set(LOCALIZATION)


@pytest.mark.parametrize("table", [LOCALIZATION, DETECTION], ids=["localization", "detection"])
def test_names_titles_and_forms(table: dict[str, Metric]) -> None:
    titles = [metric.title for metric in table.values()]
    assert len(set(titles)) == len(titles)
    for name, metric in table.items():
        assert name.isidentifier()
        assert metric.low < metric.high
        assert float(metric.show(0.5)) == pytest.approx(0.5, abs=0.5)
