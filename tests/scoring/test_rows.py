"""Rows and what follows from them, by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from cisdl_bench.errors import RunError
from cisdl_bench.metrics.registry import LOCALIZATION
from cisdl_bench.metrics.summary import has_both_labels, mask_values, summarise
from cisdl_bench.scoring.row_lines import (
    PairCounts,
    format_row,
    gather_lines,
    partial_file,
    write_rows,
)
from cisdl_bench.scoring.rows import read_lines, read_rows, row_columns


class Listed:
    """Five pairs: two positive, one with one unknown mask, a negative, an unlabelled one."""

    labels = (1, 1, 1, 0, -1)
    parameters = ("rotation_deg", "scale")
    knowns = ((True, True), (True, True), (True, False), (True, True), (False, False))

    def label(self, index: int) -> int:
        return self.labels[index]

    def known(self, index: int) -> tuple[bool, bool]:
        return self.knowns[index]

    def kind(self, index: int) -> str:
        return {1: "positive", 0: "negative", -1: "unlabelled"}[self.label(index)]

    def about(self, index: int) -> dict[str, str]:
        return {"probe": 'a "quoted", name.png', "donor": "two\nlines\x0band\u2028more.png"}


# Of masks of 10 px. Pair 0: 2 of 4 found and 1 wrong; the donor right. Pair 1: nothing found.
ANSWERS = (
    PairCounts((2, 1, 2, 5, 4, 0, 0, 6), (0.9, 0.7), 0.6, moved_px=5.5),
    PairCounts((0, 0, 4, 6, 0, 0, 5, 5), (0.0, 0.0), 0.3),
    PairCounts((4, 0, 0, 6, 0, 9, 0, 1), (0.8, 0.6), 0.9),
    PairCounts((0, 2, 0, 8, 0, 0, 0, 10), (0.6, 0.0), 0.4),
    PairCounts((0, 10, 0, 0, 0, 10, 0, 0), (1.0, 1.0), 1.0),
)


def lines(*numbers: int) -> list[str]:
    return [format_row(Listed(), k, ANSWERS[k]) for k in numbers]


def test_rows_are_read_back_as_they_were(tmp_path: Path) -> None:
    write_rows(
        Listed(),
        tmp_path / "pairs.csv",
        dict(zip((4, 0, 2, 1, 3), lines(4, 0, 2, 1, 3), strict=True)),
    )
    text = (tmp_path / "pairs.csv").read_text()
    assert len(text.splitlines()) == 6
    rows = read_rows(tmp_path / "pairs.csv")
    assert rows["index"].tolist() == [0, 1, 2, 3, 4]
    assert rows["label"].tolist() == [1, 1, 1, 0, -1]
    assert text.splitlines()[5].startswith("4,unlabelled,,0,0,")
    assert rows["probe_known"].tolist() == [1, 1, 1, 1, 0]
    assert rows["donor_known"].tolist() == [1, 1, 0, 1, 0]
    assert rows["probe"].tolist() == ['a "quoted", name.png'] * 5
    assert rows["donor"].tolist() == ["two lines and more.png"] * 5
    assert rows["moved_px"][0] == 5.5
    assert np.isnan(rows["moved_px"][1:]).all()
    assert np.isnan(rows["scale"]).all()
    counts = rows.scored_pairs().counts
    assert counts.tp.tolist()[:2] == [[2, 4], [0, 0]]
    assert counts.fn.tolist()[:2] == [[2, 0], [4, 5]]
    answer = ANSWERS[0]._replace(known=(False, True), inside=(None, 0.7), own_score=None)
    rows = read_lines(Listed(), [format_row(Listed(), 0, answer)])
    assert (rows["probe_known"][0], rows["donor_known"][0]) == (0, 1)
    assert np.isnan(rows["probe_inside"][0])
    assert np.isnan(rows["own_score"][0])


def test_rows_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    answer = ANSWERS[0]._replace(quality=(0.25, math.nan), consistency=0.5)
    path = tmp_path / "pairs.csv"
    write_rows(Listed(), path, {0: format_row(Listed(), 0, answer)})
    rows = read_rows(path)
    assert (rows["probe_qes"][0], rows["consistency"][0]) == (0.25, 0.5)
    assert np.isnan(rows["donor_qes"][0])
    head, line = path.read_text().splitlines()
    assert head.endswith("own_score,probe_qes,donor_qes,consistency")
    path.write_text(f"{head.rsplit(',', 3)[0]}\n{line.rsplit(',', 3)[0]}\n")
    earlier = read_rows(path)
    assert earlier["own_score"][0] == 0.6
    assert np.isnan(earlier["consistency"][0])
    path.write_text(f"{head}\n{line.rsplit(',', 1)[0]},1.5\n")
    with pytest.raises(RunError, match="row 2: consistency: expected 0 to 1, got '1.5'"):
        read_rows(path)


def test_a_summary_by_hand() -> None:
    rows = read_lines(Listed(), lines(0, 1, 2, 3, 4))
    found = summarise(rows.scored_pairs(), resamples=0)
    counts = {
        k: v for k, v in found.items() if k.endswith(("pairs", "unknown", "empty", "undefined"))
    }
    undefined = {f"{name}_undefined": found[f"{name}_undefined"] for name in LOCALIZATION}
    assert counts == {
        **undefined,
        "pairs": 5,
        "positive_pairs": 3,
        "negative_pairs": 1,
        "unlabelled_pairs": 1,
        "masks_unknown": 1,
        "masks_empty": 0,
        "iou_undefined": 0,
        "mcc_undefined": 0,
        "nmm_undefined": 0,
        "f1_undefined": 0,
    }
    # Known masks of positive pairs: 2/5, 1, 0, 0, 1; their NMM: (2-2-1)/4, 1, -1, -1, 1.
    assert found["iou"] == pytest.approx((0.4 + 1 + 0 + 0 + 1) / 5)
    assert found["f1"] == pytest.approx((4 / 7 + 1 + 0 + 0 + 1) / 5)
    assert found["nmm"] == pytest.approx((-0.25 + 1 - 1 - 1 + 1) / 5)
    mcc = (2 * 5 - 1 * 2) / math.sqrt(3 * 4 * 6 * 7)
    assert found["mcc"] == pytest.approx((mcc + 1 + 0 + 0 + 1) / 5)
    assert rows.pair_scores("mask") == pytest.approx([0.8, 0, 0.7, 0.3, 1])
    assert rows.pair_scores("share") == pytest.approx([0.35, 0, 0.65, 0.1, 1])
    assert rows.pair_scores("own").tolist() == [0.6, 0.3, 0.9, 0.4, 1]
    # Labelled pairs alone: above 0.5 are two of three positive ones and no negative one.
    assert (found["mask_precision"], found["mask_recall"]) == (1, pytest.approx(2 / 3))
    assert (found["own_precision"], found["own_recall"]) == (1, pytest.approx(2 / 3))
    # Shares above 0: two of three positive ones and the negative one.
    assert found["share_precision"] == found["share_recall"] == pytest.approx(2 / 3)
    for rule, auc in (("mask", 2 / 3), ("share", 2 / 3), ("own", 2 / 3)):
        assert found[f"{rule}_auc"] == pytest.approx(auc)
    assert has_both_labels(found)
    for one_label in ((0, 1), (3, 4)):
        part = read_lines(Listed(), lines(*one_label)).scored_pairs()
        assert not has_both_labels(summarise(part, resamples=0))


def test_conventions_and_what_is_undefined() -> None:
    empty = PairCounts((0, 0, 0, 10, 0, 3, 0, 7), (0.0, 0.9), None)
    rows = read_lines(Listed(), [format_row(Listed(), 0, empty), *lines(2)])
    release = {name: mask_values(rows.scored_pairs(), name, "release") for name in LOCALIZATION}
    assert np.isnan(rows.mask_values("iou")[0]).tolist() == [True, False]  # both are empty
    assert np.isnan(rows.mask_values("nmm")[0]).all()  # an empty reference
    assert release["nmm"][0].tolist() == [0, 0]
    for values in release.values():
        assert np.isnan(values[1, 1])  # the truth is not known
    found = summarise(rows.scored_pairs(), resamples=0)
    assert (found["iou_undefined"], found["nmm_undefined"], found["masks_unknown"]) == (1, 2, 1)
    assert "own_auc" not in found  # one pair has no such score
    assert found["iou"] == pytest.approx((0 + 1) / 2)
    spans = summarise(read_lines(Listed(), lines(0, 1, 2, 3)).scored_pairs(), resamples=200)
    assert spans["iou_low"] < spans["iou"] < spans["iou_high"]


def test_lines_that_are_cut_or_broken_are_scored_again(tmp_path: Path) -> None:
    whole = lines(0, 1, 2)
    broken = ["7,positive\n", "\0" * 40 + "\n", "x" + whole[2][1:], whole[2][:-1]]
    partial_file(tmp_path, 0).write_text("".join([*whole[:2], *broken]))
    partial_file(tmp_path, 3).write_text(whole[2])
    assert gather_lines(Listed(), tmp_path) == dict(enumerate(whole))
    assert [path.name for path in tmp_path.iterdir()] == ["partial-0.csv"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("index", "-1"),
        ("index", "1"),
        ("index", "x"),
        ("index", "9" * 30),
        ("kind", "strange"),
        ("label", "2"),
        ("probe_known", "2"),
        ("donor_known", "-1"),
        ("difficulty", "impossible"),
        ("probe_area_px", "-3"),
        ("donor_area_px", "inf"),
        ("scale", "inf"),
        ("moved_px", "-inf"),
        ("probe_tp", "-1"),
        ("donor_tn", "1e3"),
        ("donor_fp", str(1 << 41)),
        ("probe_inside", "1.5"),
        ("donor_inside", "-0.1"),
        ("own_score", "inf"),
        ("own_score", "high"),
    ],
)
def test_values_out_of_range_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, value: str
) -> None:
    monkeypatch.setattr(Listed, "about", lambda *_: {})  # no quotes: cells can be split
    cells = lines(0)[0].rstrip("\n").split(",")
    cells[list(row_columns(Listed.parameters)).index(column)] = value
    path = tmp_path / "pairs.csv"
    path.write_text(
        "\n".join([",".join(row_columns(Listed.parameters)), ",".join(cells), lines(1)[0]])
    )
    with pytest.raises(RunError, match=r"pairs\.csv: .*Score it again with --overwrite\.$"):
        read_rows(path)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    columns = list(row_columns(Listed.parameters))
    for names in (columns[1:], [*columns, "more"], [columns[1], columns[0], *columns[2:]]):
        path.write_text(",".join(names) + "\n")
        with pytest.raises(RunError, match=r"pairs\.csv: .*columns.*Score it again"):
            read_rows(path)
