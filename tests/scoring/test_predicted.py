"""Scores and masks made elsewhere."""

import csv
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import pytest
from click.testing import CliRunner, Result
from conftest import Heard
from lists import save, write_plain, write_table

from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.predictions import read_predictions
from cisdl_bench.cli.main import main
from cisdl_bench.errors import SourceError
from cisdl_bench.pairs import Pairs
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.predicted import PredictionScorer
from cisdl_bench.scoring.rows import read_rows
from cisdl_bench.scoring.run import run_jobs
from cisdl_bench.store import open_pairs


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def opened(path: Path) -> Pairs:
    return open_list(path, ListOptions(), Heard())


def scored(table: Path, pairs: Pairs, out: Path, **settings) -> dict:
    job = ScoreJob(pairs, Perturbation())
    return run_jobs(
        PredictionScorer(read_predictions(table)), [job], out, ScoreOptions(**settings), Heard()
    )[0]


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    return opened(write_plain(tmp_path / "data"))


def write_predictions(root: Path, *, size: tuple[int, int] | None = None) -> Path:
    """The true masks, as they are or on the canvas, and scores."""
    rows: list[list[object]] = [["probe", "donor", "score", "probe_mask", "donor_mask"]]
    for name, value in (("raw", 0.9), ("shifted", 0.2)):
        files = [f"{name}-{side}.png" for side in ("probe", "donor")]
        for file in files:
            mask = cv2.imread(str(root.parent / "data" / "masks" / file), cv2.IMREAD_GRAYSCALE)
            if size:
                mask = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
            save(root / file, mask)
        rows.append([*files, value, *files])
    rows.append(["other-probe.png", "raw-donor.png", 0.5, "empty", "empty"])
    return write_table(root / "theirs.csv", rows)


@pytest.mark.parametrize("size", [None, (256, 256)])
def test_true_masks_are_right_at_their_size(
    pairs: Pairs, tmp_path: Path, size: tuple[int, int] | None
) -> None:
    table = write_predictions(tmp_path / "p", size=size)
    result = scored(table, pairs, tmp_path / "r")
    assert result["summary"]["iou"] == 1
    assert result["summary"]["own_auc"] == 0.5
    rows = read_rows(tmp_path / "r" / "pairs" / "pairs.csv")
    masks = [256**2, 256**2] if size else [320 * 240, 256 * 300]
    assert sum(rows.scored_pairs().counts).tolist() == [masks, masks, [200 * 160, 256 * 300]]
    assert rows["own_score"].tolist() == [0.9, 0.2, 0.5]


def test_scores_alone_are_detected_not_localized(pairs: Pairs, tmp_path: Path) -> None:
    rows = [["donor", "probe", "score"], ["raw-donor.png", "raw-probe.png", 3]]
    rows.append(["shifted-donor.png", "shifted-probe.png", 2])
    rows.append(["raw-donor.png", "other-probe.png", -7])
    summary = scored(write_table(tmp_path / "s.csv", rows), pairs, tmp_path / "r")["summary"]
    assert (summary["own_auc"], summary["own_eer"]) == (1, 0)
    assert math.isnan(summary["iou"])
    assert summary["masks_unknown"] == 4
    assert "mask_auc" not in summary
    assert "share_auc" not in summary


def test_generated_sets_are_predicted_by_number(made: Path, tmp_path: Path) -> None:
    pairs = open_pairs(made / "training")
    rows = [["index", "score"], *([i, pairs.label(i) + i / 1e4] for i in reversed(pairs.indices))]
    result = scored(write_table(tmp_path / "s.csv", rows), pairs, tmp_path / "r")
    assert result["summary"]["own_auc"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[1].__setitem__(2, "nan"), "raw-probe.png .*Correct the row"),
        (lambda rows: rows[1].__setitem__(3, ""), "raw-probe.png .*probe_mask.*Write empty"),
        (lambda rows: rows[1].__setitem__(3, "gone.png"), "no such file"),
        (
            lambda rows: rows.pop(),
            "theirs.csv: 1 .*Name pairs as the list does",
        ),
        (
            lambda rows: rows.append([*rows[1][:2], 0.1, "empty", "empty"]),
            "theirs.csv: raw-probe.png .*Remove one",
        ),
        (
            lambda rows: rows[1].__setitem__(3, "shifted-donor.png"),
            "shifted-donor.png: .*320 x 240",
        ),
        (
            lambda rows: rows[0].__setitem__(2, "probability"),
            "theirs.csv: .*Add score",
        ),
    ],
)
def test_wrong_predictions_are_refused(pairs: Pairs, tmp_path: Path, change, message: str) -> None:
    table = write_predictions(tmp_path / "p")
    rows = list(csv.reader(table.open()))
    change(rows)
    write_table(table, rows)
    with pytest.raises(SourceError, match=message):
        scored(table, pairs, tmp_path / "r")


def without_pictures(root: Path) -> None:
    for path in (*root.glob("*-probe.png"), *root.glob("*-donor.png")):
        path.unlink()


def predicted_of(path: Path, **settings: Any) -> Pairs:
    return open_list(path, ListOptions(pictures=False, **settings), Heard())


def test_predictions_need_no_pictures(tmp_path: Path) -> None:
    data = write_plain(tmp_path / "data")
    table = write_predictions(tmp_path / "p")
    first = scored(table, predicted_of(data), tmp_path / "with")
    without_pictures(tmp_path / "data")
    found = scored(table, predicted_of(data), tmp_path / "without")
    assert found["summary"]["iou"] == 1
    for name in ("mcc", "own_auc", "masks_unknown", "pairs"):
        assert found["summary"][name] == first["summary"][name]
    rows = read_rows(tmp_path / "without" / "pairs" / "pairs.csv")
    assert sum(rows.scored_pairs().counts)[:2].tolist() == [[320 * 240, 256 * 300]] * 2
    shutil.rmtree(tmp_path / "data" / "masks")
    with pytest.raises(SourceError, match=r"raw-probe.png: expected a mask, got no such file"):
        scored(table, predicted_of(data), tmp_path / "masks")
    kept = predicted_of(data, skip_unusable=True)
    found = scored(table, kept, tmp_path / "unknown")
    assert (found["summary"]["pairs"], found["summary"]["masks_unknown"]) == (3, 4)
    assert "4 true masks cannot be used, such as" in found["data"]["notes"][0]


def test_scores_alone_need_no_files_at_all(tmp_path: Path) -> None:
    data = write_plain(tmp_path / "data")
    rows = [["probe", "donor", "score"], ["raw-probe.png", "raw-donor.png", 3]]
    rows += [["shifted-probe.png", "shifted-donor.png", 2], ["other-probe.png", "raw-donor.png", 1]]
    table = write_table(tmp_path / "s.csv", rows)
    without_pictures(tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "masks")
    assert scored(table, predicted_of(data), tmp_path / "r")["summary"]["own_auc"] == 1
    shown = typed("score", "--predictions", table, "--data", data, "-o", tmp_path / "c")
    assert shown.exit_code == 0, shown.output
    assert re.search(r"3 pairs, .*\bAUC-det 1\.0000, EER-det 0\.0000", shown.stdout)


def test_paired_casia_is_detected_without_its_pictures(tmp_path: Path) -> None:
    names = [f"Au_ani_{k:05d}" for k in range(8)]
    rows = [[names[k], names[k + 1], k % 2] for k in range(7)]
    data = write_table(tmp_path / "paired.csv", [["ProbeID", "DonorID", "Label"], *rows])
    scores = [[a, b, label * 0.5 + k / 100] for k, (a, b, label) in enumerate(rows)]
    table = write_table(tmp_path / "s.csv", [["probe", "donor", "score"], *scores])
    shown = typed("score", "--predictions", table, "--data", data, "-o", tmp_path / "c")
    assert shown.exit_code == 0, shown.output
    assert re.search(r"7 of 8,642 pairs, .*\bAUC-det 1\.0000", shown.stdout)
    fewer = write_table(tmp_path / "f.csv", [["probe", "donor", "score"], *scores[:5]])
    shown = typed("score", "--predictions", fewer, "--data", data, "-o", tmp_path / "f")
    assert re.search(r"5 of 8,642 pairs, .*\bAUC-det 1\.0000", shown.stdout)
    assert "no pictures and no prediction" in (tmp_path / "f/paired/left-out.csv").read_text()


def test_a_list_without_labels_has_no_auc(tmp_path: Path) -> None:
    data = write_plain(tmp_path / "data")
    lines = [line.split(",")[:2] for line in data.read_text().splitlines()]
    write_table(data, lines)
    rows = [["index", "score"], [0, 0.1], [1, 0.2], [2, 0.9]]
    table = write_table(tmp_path / "s.csv", rows)
    shown = typed("score", "--predictions", table, "--data", data, "-o", tmp_path / "r")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.strip().endswith("pairs: 3 pairs")
    text = (tmp_path / "r" / "pairs" / "result.json").read_text()
    assert json.loads(text)["summary"]["own_auc"] is None
