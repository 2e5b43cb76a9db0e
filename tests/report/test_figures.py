import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import Heard, make
from hypothesis import given
from hypothesis import strategies as st
from results_by_hand import write_run
from scipy.special import ndtr, ndtri

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.errors import CisdlError, RunError
from cisdl_bench.metrics import detection
from cisdl_bench.metrics.registry import LOCALIZATION, Metric, headline_metrics
from cisdl_bench.models.find import find_detector
from cisdl_bench.report.choice import PairChoice, choose_pairs, quality
from cisdl_bench.report.curves import det_line
from cisdl_bench.report.draw import draw, save_figure
from cisdl_bench.report.drawing import limits
from cisdl_bench.report.figure import FigureOptions, figure_names
from cisdl_bench.report.figures.growth import draw_growth
from cisdl_bench.report.figures.parameters import (
    BINS,
    PARAMETERS,
    bin_means,
    breakdowns,
    draw_breakdown,
    make_bins,
    read_parameter,
)
from cisdl_bench.report.figures.robustness import draw_robustness
from cisdl_bench.report.inline_svg import inline_svg
from cisdl_bench.report.palette import FOUND, HALO, TRUTH, style_variables
from cisdl_bench.results.reload import find_masks, reopen
from cisdl_bench.results.result import find_results
from cisdl_bench.scoring.jobs import make_score_jobs
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.rows import ANSWER, Rows, row_columns
from cisdl_bench.scoring.run import score
from cisdl_bench.specs import load_spec
from cisdl_bench.store import open_pairs


def rows_of(**columns: list[object]) -> Rows:
    n = len(next(iter(columns.values())))
    full: dict[str, np.ndarray] = {}
    for name, kind in row_columns(load_spec("combination").parameters).items():
        blank = {int: 0, float: np.nan, str: ""}[kind]
        full[name] = np.array(
            columns.get(name, [blank] * n), dtype=kind if kind is not str else str
        )
    return Rows(full)


def test_means_in_bins_are_those_of_their_pairs() -> None:
    x = np.concatenate([np.full(6, 0.5), np.full(6, 9.5), np.full(3, 5.0), [10.0]])
    values = np.stack([np.arange(16) / 16, np.arange(16) / 16], axis=1)
    values[0, 1] = np.nan
    found = bin_means(values, x, np.linspace(0, 10, BINS + 1), np.arange(BINS) + 0.5)
    assert found.pairs.tolist() == [6, 0, 0, 0, 0, 3, 0, 0, 0, 7]
    assert found.mean[0] == pytest.approx((0 + 2 * (1 + 2 + 3 + 4 + 5) / 16) / 11)
    assert np.isnan(found.mean[5])
    assert found.low[0] < found.mean[0] < found.high[0]
    assert found.broken() == [(0.0, 1.0)]


def test_broken_ranges_are_joined() -> None:
    values = np.repeat(np.array([0.1, 0.1, 0.9, 0.8, 0.3, 0.1, 0.9, 0.9, 0.9, 0.2]), 6)
    x = np.repeat(np.arange(10) + 0.5, 6)
    found = bin_means(
        np.stack([values, values], axis=1), x, np.linspace(0, 10, 11), np.arange(10) + 0.5
    )
    assert found.broken() == [(0.0, 2.0), (4.0, 6.0), (9.0, 10.0)]
    nothing = bin_means(np.zeros((60, 2)), x, np.linspace(0, 10, 11), np.arange(10) + 0.5)
    assert nothing.broken() == []


def test_parameters_are_those_of_the_rows(scored: list[Path]) -> None:
    results = find_results(scored[0])
    found = breakdowns(results, "scale", "iou")[scored[0]]
    rows = [r.rows() for r in results if not r.perturbation]
    positive = sum(int((each["label"] == 1).sum()) for each in rows)
    assert found.pairs.sum() == positive
    there = found.pairs >= 5
    assert (found.mean[there] == 1).all()
    assert breakdowns(results, "shift", "mcc")[scored[0]].edges[0] >= 0


def test_breakdown_is_against_the_displacement() -> None:
    rows = rows_of(moved_px=[5.0, 25.0], shift_x_px=[0.0, 100.0], shift_y_px=[0.0, 0.0])
    assert read_parameter(rows, "shift", 256).tolist() == [5, 25]
    assert "displacement" in PARAMETERS["shift"]


def test_robustness_is_of_the_sets_that_all_strengths_have(coco: Path, tmp_path: Path) -> None:
    for name in ("combination", "raw"):
        make(coco, tmp_path / "data", name, pairs=8)

    def run(sets: list[str], perturb: str) -> None:
        jobs = make_score_jobs([tmp_path / "data"], sets, perturb, ListOptions(), Heard())
        score(find_detector("random"), jobs, tmp_path / "random", ScoreOptions(), Heard())

    run(["combination", "raw"], "none,jpeg:80")
    run(["raw"], "jpeg:40")
    figure = draw_robustness([tmp_path / "random"], "iou")
    (axis,) = figure.axes
    assert axis.get_title() == "raw-normal"
    drawn = dict(zip(*axis.containers[0].lines[0].get_data(), strict=True))
    for result in find_results(tmp_path / "random"):
        if result.set == "raw-normal":
            counts = result.rows().scored_pairs().counts
            value = (counts.tp / (counts.tp + counts.fp + counts.fn)).mean()
            if result.perturbation:
                strength = float(result.perturbation.removeprefix("jpeg-"))
                assert drawn[strength] == pytest.approx(value)
            else:
                assert axis.lines[-1].get_ydata()[0] == pytest.approx(value)
    assert set(drawn) == {40, 80}
    shutil.rmtree(tmp_path / "random" / "raw-normal@jpeg-80")
    with pytest.raises(RunError, match=r"at 80: combination-normal; random at 40: raw-normal\."):
        draw_robustness([tmp_path / "random"], "iou")


def test_det_curves_lie_where_the_roc_does() -> None:
    # Half of all scores are tied: straight in deviates, the line would be far too low.
    labels = np.array([1] * 40 + [0] * 40)
    scores = np.concatenate([np.linspace(1, 2, 16), np.zeros(24), [1.5], np.zeros(39)])
    roc = detection.roc(labels, scores)
    x, y = det_line(roc)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) <= 0).all()
    for fpr in (0.03, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95):
        fnr = 1 - np.interp(fpr, roc.fpr, roc.tpr)
        assert ndtr(np.interp(ndtri(fpr), x, y)) == pytest.approx(fnr, abs=2e-3), fpr
    # No separation at all: FNR is 1 - FPR everywhere, never below the diagonal.
    x, y = det_line(detection.roc([1, 0] * 5, np.zeros(10)))
    assert ndtr(y) == pytest.approx(1 - ndtr(x), abs=1e-9)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=4, max_size=40).filter(
        lambda pairs: len({label for label, _ in pairs}) == 2
    )
)
def test_det_curves_of_any_scores(pairs: list[tuple[bool, int]]) -> None:
    roc = detection.roc([label for label, _ in pairs], [score for _, score in pairs])
    x, y = det_line(roc)
    for fpr in np.linspace(0.02, 0.98, 7):
        if np.abs(roc.fpr - fpr).min() > 1e-6:  # a vertical piece has no single value
            fnr = np.clip(1 - np.interp(fpr, roc.fpr, roc.tpr), 5e-4, 1 - 5e-4)
            assert ndtr(np.interp(ndtri(fpr), x, y)) == pytest.approx(fnr, abs=5e-3)


def test_the_det_figure_draws_that_line(
    scored: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def tied(rows: Rows, _: str) -> np.ndarray:
        return np.arange(len(rows)) % 2.0

    monkeypatch.setattr(Rows, "pair_scores", tied)
    figure = draw("det", scored[1:], FigureOptions(rules=("mask",)), Heard())
    (result,) = [r for r in find_results(scored[1]) if r.set == "training"]
    rows = result.rows()
    roc = detection.roc(rows["label"], tied(rows, "mask"))
    drawn = figure.axes[0].lines[0]
    for found, expected in zip(drawn.get_data(), det_line(roc), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(drawn.get_xdata()) > 10 * len(roc.fpr)


def test_growth_shows_negative_mcc(tmp_path: Path) -> None:
    metrics = headline_metrics()
    values = {"iou": "0.1", "mcc": "-0.3", "nmm": "-0.9"}
    cells = [values.get(name, "0.5") for name in metrics]
    lines = [f"set,pairs,{','.join(metrics)}", f"combination-easy,100,{','.join(cells)}"]
    (tmp_path / "evaluation.csv").write_text("\n".join(lines) + "\n")
    figure = draw_growth([tmp_path])
    for axis, metric in zip(figure.axes, metrics, strict=True):
        low = {"iou": -0.02, "mcc": -1.02, "nmm": -1.02}.get(metric, limits(metric)[0])
        assert axis.get_ylim()[0] == low
        (y,) = axis.lines[0].get_ydata()
        assert axis.get_ylim()[0] < y == float(values.get(metric, "0.5"))


def test_growth_tells_two_families_of_one_difficulty_apart(tmp_path: Path) -> None:
    lines = [f"{k},{24 * k},{name}-easy,0.5" for k in (1, 2) for name in ("combination", "raw")]
    (tmp_path / "evaluation.csv").write_text("\n".join(["step,pairs,set,iou", *lines, ""]))
    first, second = draw_growth([tmp_path]).axes[0].lines
    assert first.get_color() == second.get_color()
    assert first.get_marker() != second.get_marker()


def test_growth_of_a_run_that_is_older_than_a_metric_lacks_its_curve(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.csv"
    path.write_text("set,pairs,iou\ncombination-easy,100,0.1\n")
    drawn = [len(axis.lines) for axis in draw_growth([tmp_path]).axes]
    assert drawn == [int(name == "iou") for name in headline_metrics()]
    path.write_text("set,pairs,iou\ncombination-easy,100,much\n")
    with pytest.raises(RunError, match=r"evaluation.csv: line 2: iou: expected a number"):
        draw_growth([tmp_path])
    path.write_text("set,pairs\ncombination-easy,100\n")
    with pytest.raises(RunError, match=r"evaluation.csv: expected a column out of iou"):
        draw_growth([tmp_path])


def test_worst_shows_regions_before_black_squares() -> None:
    # IoU 0 three times: nothing found, a small wrong region, a large one; then a little right.
    rows = rows_of(
        index=[0, 1, 2, 3, 4],
        label=[1, 1, 1, 1, 0],
        probe_known=[1] * 5,
        donor_known=[1] * 5,
        probe_tp=[0, 0, 0, 1, 0],
        probe_fp=[0, 2, 50, 9, 0],
        probe_fn=[9, 9, 9, 9, 0],
        donor_fn=[9, 9, 9, 9, 0],
        probe_inside=[0.0, 0.9, 0.9, 0.9, 0.0],
        donor_inside=[0.0] * 5,
    )
    assert choose_pairs(rows, PairChoice("worst", 5)) == [2, 1, 0, 3, 4]
    assert choose_pairs(rows, PairChoice("best", 5)) == [4, 3, 2, 1, 0]


def test_latex_that_fails_is_a_line(
    scored: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("xelatex", "lualatex", "pdflatex"):
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text("#!/bin/sh\necho '! LaTeX Error: File pgf.sty not found.'\nexit 1\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    figure = draw("roc", scored, FigureOptions(), Heard())
    with pytest.raises(CisdlError, match=r"expected xelatex to work, got .*Write \.pdf\.$") as e:
        save_figure(figure, tmp_path / "x.pgf")
    assert "\n" not in str(e.value)
    assert not (tmp_path / "x.pgf").exists()


def test_the_unperturbed_level_is_of_the_same_sets(coco: Path, tmp_path: Path) -> None:
    for name in ("combination", "raw"):
        make(coco, tmp_path / "data", name, pairs=6)

    def levels(sets: list[str], perturb: str) -> list[str]:
        jobs = make_score_jobs([tmp_path / "data"], sets, perturb, ListOptions(), Heard())
        score(find_detector("random"), jobs, tmp_path / "random", ScoreOptions(), Heard())
        (axis,) = draw_robustness([tmp_path / "random"], "iou").axes
        labels = [line.get_label() for line in axis.lines]
        return [label for label in labels if "unperturbed" in str(label)]

    assert levels(["combination", "raw"], "jpeg:80") == []
    assert levels(["raw"], "none") == []  # one of two sets alone would be another level
    assert levels(["combination"], "none") == ["random, unperturbed"]


def test_how_well_a_pair_was_answered() -> None:
    rows = rows_of(
        label=[1, 1, 0, 1, -1],
        probe_known=[1, 1, 1, 0, 0],
        donor_known=[1, 0, 1, 0, 0],
        probe_tp=[2, 4, 0, 0, 0],
        probe_fn=[2, 0, 0, 0, 0],
        donor_tp=[1, 0, 0, 0, 0],
        probe_inside=[1.0, 1.0, 0.6, 0.5, 0.9],
        donor_inside=[1.0, 1.0, 0.2, 0.7, 0.9],
    )
    assert quality(rows)[:4] == pytest.approx([0.75, 1.0, 0.6, 0.6])
    assert np.isnan(quality(rows)[4])
    rows.columns["index"] = np.array([3, 5, 7, 9, 11])
    assert choose_pairs(rows, PairChoice("worst", 2)) == [7, 9]
    assert choose_pairs(rows, PairChoice("best", 1)) == [5]
    assert choose_pairs(rows, PairChoice(ids=(11, 3))) == [11, 3]
    assert len(choose_pairs(rows, PairChoice("random", 3))) == 3
    with pytest.raises(RunError, match="--ids 4: expected a pair from 3 to 11, got none"):
        choose_pairs(rows, PairChoice(ids=(4,)))
    assert set(ANSWER) <= set(rows.columns)


@pytest.mark.parametrize("kind", [kind for kind in figure_names() if kind != "growth"])
def test_every_figure_is_drawn(scored: list[Path], tmp_path: Path, kind: str) -> None:
    figure = draw(kind, scored, FigureOptions(count=2), Heard())
    save_figure(figure, tmp_path / f"{kind}.png")
    assert (tmp_path / f"{kind}.png").read_bytes().startswith(b"\x89PNG")
    texts = [t.get_text() for a in figure.axes for t in (a.title, a.xaxis.label, a.yaxis.label)]
    assert any(texts) or kind not in ("det", "heatmap", "pairs", "parameters", "robustness", "roc")
    if kind == "roc":
        labels = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
        assert labels[0] == "oracle: AUC 1.000, EER 0.000"
    if kind == "robustness":
        assert len(figure.axes) == 2


def test_papers_take_pdf(
    scored: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = draw("roc", scored, FigureOptions(rules=("share",), sets=("training",)), Heard())
    save_figure(figure, tmp_path / "roc.pdf")
    assert (tmp_path / "roc.pdf").read_bytes().startswith(b"%PDF")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CisdlError, match=r"expected one of xelatex, lualatex, pdflatex, got none"):
        save_figure(figure, tmp_path / "roc.pgf")
    with pytest.raises(CisdlError, match=r"roc.txt: expected an ending out of \.png"):
        save_figure(figure, tmp_path / "roc.txt")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("roc", "expected results on sets with positive and negative pairs"),
        ("pairs", "--set raw: expected a set that was scored by all methods"),
    ],
)
def test_a_set_that_is_missing_is_named(scored: list[Path], name: str, message: str) -> None:
    with pytest.raises(RunError, match=message):
        draw(name, scored, FigureOptions(sets=("raw",)), Heard())


def test_masks_are_looked_at_again_or_lost(scored: list[Path], tmp_path: Path) -> None:
    plain = next(r for r in find_results(scored[0]) if r.set == "training")
    pairs = reopen(plain, Heard())
    probe, donor = find_masks(plain, pairs, 4)
    assert np.array_equal(probe > 0.5, pairs[4].probe_mask)
    assert np.array_equal(donor > 0.5, pairs[4].donor_mask)
    plain.record["request"]["identity"] = "oracle of another version"
    assert find_masks(plain, pairs, 4) is None
    plain.record["origin"]["path"] = str(tmp_path / "gone")
    with pytest.raises(RunError, match=r"its pairs at .*gone.*Say where they are by --data"):
        reopen(plain, Heard())
    data = pairs.path
    assert reopen(plain, Heard(), data).fingerprint == pairs.fingerprint
    assert reopen(plain, Heard(), data.parent).fingerprint == pairs.fingerprint
    with pytest.raises(RunError, match=r"expected the pairs of .*got others"):
        reopen(plain, Heard(), data.parent / "combination-normal")
    shutil.copytree(scored[0] / "training", tmp_path / "run" / "training")
    assert open_pairs(data).name == "training"


def test_a_point_stands_at_each_of_few_values() -> None:
    x = np.repeat([-90.0, 0.0, 90.0, 180.0], 6)
    values = np.repeat([0.9, 0.1, 0.8, 0.4], 6)
    found = bin_means(np.stack([values, values], axis=1), x, *make_bins(x))
    assert found.points.tolist() == [-90, 0, 90, 180]
    assert found.mean == pytest.approx([0.9, 0.1, 0.8, 0.4])
    assert found.pairs.tolist() == [6] * 4
    assert found.broken() == [(-45.0, 45.0), (135.0, 180.0)]
    ten, eleven = np.arange(10.0), np.arange(11.0)
    assert make_bins(ten)[1].tolist() == ten.tolist()
    assert make_bins(eleven)[1] == pytest.approx(np.arange(10) + 0.5)


def test_a_panel_without_points_says_why(scored: list[Path]) -> None:
    def texts() -> list[str]:
        figure = draw_breakdown(scored, "iou", ["scale"])
        return [text.get_text() for text in figure.axes[0].texts]

    assert texts() == []
    with pytest.MonkeyPatch.context() as patch:
        plain = Rows.where
        patch.setattr(Rows, "where", lambda rows, chosen: plain(rows, chosen & (rows["index"] < 4)))
        assert texts() == ["fewer than 5 pairs a bin"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rows, "mask_values", lambda rows, _: np.full((len(rows), 2), np.nan))
        assert texts() == ["undefined"]


@pytest.mark.parametrize("name", ["heatmap", "parameters", "robustness"])
def test_a_metric_that_is_undefined_everywhere_is_said_to_be(
    scored: list[Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    undefined = Metric("ZZ", lambda counts, _: np.full(counts.tp.shape, np.nan))
    monkeypatch.setitem(LOCALIZATION, "zz", undefined)
    message = r"masks on which ZZ is defined, got none: it is undefined on all masks\. Choose an"
    with pytest.raises(RunError, match=message):
        draw(name, scored, FigureOptions(metric="zz"), Heard())


def test_a_spread_is_the_best_the_median_and_the_worst() -> None:
    tp = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    rows = rows_of(
        index=list(range(11)),
        label=[1] * 11,
        probe_known=[1] * 11,
        probe_tp=tp,
        probe_fn=[100 - n for n in tp],
    )
    assert choose_pairs(rows, PairChoice(count=6)) == [10, 9, 6, 5, 1, 0]
    assert choose_pairs(rows, PairChoice(count=3)) == [10, 5, 0]
    assert choose_pairs(rows, PairChoice(count=1)) == [0]
    assert sorted(choose_pairs(rows, PairChoice(count=60))) == list(range(11))


def test_a_pair_sheet_names_its_set_and_the_choice(scored: list[Path]) -> None:
    figure = draw("pairs", scored, FigureOptions(count=3, sets=("training",)), Heard())
    assert figure.get_suptitle() == "training, ordered by oracle"
    labels = [axis.get_ylabel() for axis in figure.axes]
    assert {label.split(" ")[0] for label in labels if "pair" in label} == {
        "best",
        "median",
        "worst",
    }
    written = [text for axis in figure.axes for text in axis.texts if "IoU" in text.get_text()]
    assert written
    assert all(text.get_path_effects() for text in written)


def test_the_heat_map_begins_at_0_and_rules_families_off(tmp_path: Path) -> None:
    sets = ("raw-easy", "raw-normal", "shift-easy", "mine")
    run = write_run(tmp_path / "a", dict.fromkeys(sets, 0.5), pairs=8)
    figure = draw("heatmap", [run], FigureOptions(), Heard())
    axis, bar = figure.axes
    assert bar.get_ylim() == (0, 1)
    assert axis.collections[0].get_clim() == (0, 1)
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == [
        f"{name} (n = 8)" for name in ("raw-normal", "raw-easy", "shift-easy", "mine")
    ]
    assert [line.get_ydata()[0] for line in axis.lines] == [2, 3]


def test_equal_curves_are_said_to_be_and_chance_is_drawn(tmp_path: Path) -> None:
    runs = [tmp_path / "a", tmp_path / "b"]
    write_run(runs[0], {"mixed": 0.5}, pairs=30, negatives=10)
    shutil.copytree(runs[0], runs[1])
    path = runs[1] / "mixed" / "result.json"
    path.write_text(path.read_text().replace('"detector": "a"', '"detector": "b"'))
    for kind, ends in (("roc", ([0, 1], [0, 1])), ("det", None)):
        (axis,) = draw(kind, runs, FigureOptions(), Heard()).axes
        labels = [text.get_text() for text in axis.get_legend().get_texts()]
        assert labels[1].endswith("(same curve as a)")
        assert labels[2:] == ["chance", "FPR = FNR"]
        first, second = axis.lines[0], axis.lines[2]
        assert first.get_linewidth() > second.get_linewidth()
        assert first.get_linestyle() != second.get_linestyle()
        chance = next(line for line in axis.lines if line.get_label() == "chance")
        x, y = chance.get_data()
        if ends:
            assert (list(x), list(y)) == ends
        else:
            assert ndtr(y) == pytest.approx(1 - ndtr(x))  # FNR is 1 - FPR


def test_glance_shows_each_mean_with_its_interval(tmp_path: Path) -> None:
    quality = {"raw-easy": 0.8, "raw-normal": 0.5, "mine": 0.3}
    runs = [write_run(tmp_path / name, quality, pairs=12) for name in ("a", "b")]
    figure = draw("glance", runs, FigureOptions(), Heard())
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles == ["Normal, n = 12", "Easy, n = 12", "Other sets, n = 12"]
    easy = next(r for r in find_results(runs[1]) if r.set == "raw-easy").record["summary"]
    line, _, (bars,) = figure.axes[1].containers[1]
    assert line.get_xdata()[0] == pytest.approx(easy["iou"])
    assert bars.get_segments()[0][:, 0] == pytest.approx([easy["iou_low"], easy["iou_high"]])


def test_a_break_needs_its_whole_interval() -> None:
    x = np.repeat([0.0, 1.0], 30)
    sure = np.where(x == 0, 0.1, 0.9)
    unsure = np.where(x == 0, np.tile([0.0, 0.86], 30), 0.9)
    for values, sizes in ((sure, [30]), (unsure, [])):
        means = bin_means(np.stack([values, values], axis=1), x, *make_bins(x))
        assert means.broken() == [(0.0, 0.5)]
        assert [part.pairs for part in means.breaks] == sizes
    assert means.mean[0] == pytest.approx(0.43)


def test_figures_of_the_page_are_in_its_type_and_colours(scored: list[Path]) -> None:
    figure = draw("roc", scored, FigureOptions(), Heard())
    text = inline_svg(figure, "mine", 'Curves of "a" & <b>')
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == 'Curves of "a" & <b>'
    assert int(root.get("width")) > 300
    styles = [element.get("style", "") for element in root.iter()]
    assert any("var(--method-0)" in style for style in styles)
    assert not any("font-family" in style for style in styles)
    assert "oracle: AUC 1.000, EER 0.000" in "".join(root.itertext())
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert ids
    assert all(name.startswith("mine-") for name in ids)
    used = re.findall(r'(?:url\(#|href="#)([^")]+)', text)
    assert set(used) <= set(ids)


def test_every_colour_is_seen_on_its_ground() -> None:
    def luminance(colour: str) -> float:
        levels = np.frombuffer(bytes.fromhex(colour.removeprefix("#")), dtype=np.uint8) / 255
        linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    def contrast(one: str, other: str) -> float:
        dark, light = sorted((luminance(one), luminance(other)))
        return (light + 0.05) / (dark + 0.05)

    sheet = style_variables()
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w+);", part)) for part in sheet.split("@media"))
    for ground in (light, dark):
        assert contrast(ground["ink"], ground["paper"]) > 12
        assert contrast(ground["soft"], ground["paper"]) > 4.5  # small text
        assert contrast(ground["link"], ground["panel"]) > 4.5
    for name in ("method-0", "method-1", "method-2"):
        assert contrast(light[name], light["paper"]) > 3
        assert contrast(dark.get(name, light[name]), dark["paper"]) > 3
    for outline in (TRUTH, FOUND):
        assert contrast(outline, HALO) > 7
