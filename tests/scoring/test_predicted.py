"""Scores made elsewhere, and NIST's own numbers."""

import csv
import json
import math
from pathlib import Path

import cv2
import pytest
from conftest import SHARED, Heard
from lists import save, write_mfc, write_plain, write_table

from cisdl_bench.adapters.pairs import Opening, open_list
from cisdl_bench.adapters.predictions import read_predictions
from cisdl_bench.errors import SourceError
from cisdl_bench.records import Pairs
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.predicted import write_nist
from cisdl_bench.scoring.rows import read_rows
from cisdl_bench.scoring.run import Job, score
from cisdl_bench.scoring.settings import Settings
from cisdl_bench.store import open_pairs

FIXTURE = SHARED / "fixtures" / "mfc_splice"


def opened(path: Path) -> Pairs:
    return open_list(Opening(path), Heard())


def scored(table: Path, pairs: Pairs, out: Path, **settings) -> dict:
    job = Job(pairs, Perturbation())
    return score(read_predictions(table), [job], out, Settings(**settings), Heard())[0]


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
    assert sum(rows.counts()).tolist() == [masks, masks, [200 * 160, 256 * 300]]
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
        (lambda rows: rows[1].__setitem__(2, "nan"), "expected a finite score, got 'nan'"),
        (lambda rows: rows[1].__setitem__(3, ""), "expected a probe_mask, got an empty cell"),
        (lambda rows: rows[1].__setitem__(3, "gone.png"), "no such file"),
        (
            lambda rows: rows.pop(),
            "predictions of the 3 pairs of pairs, got none for 1",
        ),
        (lambda rows: rows.append([*rows[1][:2], 0.1, "empty", "empty"]), "got two that differ"),
        (
            lambda rows: rows[1].__setitem__(3, "shifted-donor.png"),
            "a mask of 320 x 240 px, as",
        ),
        (
            lambda rows: rows[0].__setitem__(2, "probability"),
            "expected the columns probe,donor,s",
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


def test_nists_pairs_are_scored_as_nist_scores_them(tmp_path: Path) -> None:
    index = write_mfc(tmp_path / "data")
    pairs = opened(index)
    folder = tmp_path / "data" / "reference" / "splice"
    masks = "OutputProbeMaskFileName|OutputDonorMaskFileName"
    rows = [f"ProbeFileID|DonorFileID|ConfidenceScore|{masks}|IsOptOut"]
    rows += [f"p-{n}|d-{n}|0.5|mask/{n}-probe.png|mask/{n}-donor.png|N" for n in ("raw", "shifted")]
    rows.append("p-other|d-raw|0.5|||Y")
    (folder / "system.csv").write_text("\n".join(rows))
    predictions = read_predictions(folder / "system.csv")
    for zones in ((0, 0), (15, 11)):
        settings = Settings(zones=zones)
        out = tmp_path / f"{zones[0]}"
        (result,) = score(predictions, [Job(pairs, Perturbation())], out, settings, Heard())
        assert result["summary"]["iou"] == 1
        summary = write_nist(predictions, pairs, out / "MFC18_Tiny", settings)
        assert summary["all"]["localization"]["pOptimumMCC"] == 1
        assert summary["all"]["detection"]["AUC"] == 0.5
        assert summary["opted_in"]["detection"]["TRR"] == pytest.approx(2 / 3)
        table = csv.DictReader((out / "MFC18_Tiny" / "nist.csv").open())
        band = [int(row["pPixelBNS"]) for row in table]
        assert all(band) == any(zones)


@pytest.mark.parametrize(("zones", "name"), [((15, 11), "eks15_dks11"), ((0, 0), "eks0_dks0")])
def test_nists_fixture_gives_nists_numbers(
    zones: tuple[int, int], name: str, tmp_path: Path
) -> None:
    if not FIXTURE.is_dir():
        pytest.skip(f"{FIXTURE} is not there: values from NIST's scorer")
    pairs = opened(next((FIXTURE / "MFC18_Synth" / "indexes").glob("*.csv")))
    predictions = read_predictions(next((FIXTURE / "submissions").glob("*/*.csv")))
    settings = Settings(zones=zones)
    (result,) = score(predictions, [Job(pairs, Perturbation())], tmp_path, settings, Heard())
    write_nist(predictions, pairs, tmp_path / "MFC18_Synth", settings)
    found = json.loads((tmp_path / "MFC18_Synth" / "nist.json").read_text())
    theirs = FIXTURE / f"expected_{name}_sbin127"

    def table(path: Path) -> list[dict[str, str]]:
        return list(csv.DictReader(path.open(), delimiter="|"))

    (detection,) = table(theirs / "detection_all_report.csv")
    assert found["all"]["detection"]["AUC"] == float(detection["AUC"])
    assert found["all"]["detection"]["EER"] == float(detection["EER"])
    for part, folder in (("all", "localization"), ("opted_in", "localization_optout")):
        if not (theirs / folder).is_dir():
            continue
        (means,) = table(theirs / folder / "loc_mask_score.csv")
        mine, compared = found[part]["localization"], 0
        for key, value in means.items():
            if key not in mine:
                continue
            compared += 1
            if key in ("pOptimumThreshold", "dOptimumThreshold"):
                assert math.floor(mine[key]) == int(value)  # NIST cuts the mean of thresholds off
            else:
                assert mine[key] == pytest.approx(float(value), abs=1e-9), key
        assert compared >= 58
    lines = table(theirs / "localization" / "loc_mask_scores_perimage.csv")
    own = list(csv.DictReader((tmp_path / "MFC18_Synth" / "nist.csv").open()))
    assert len(own) == len(lines) == 4
    for mine, line in zip(own, lines, strict=True):
        shared = [key for key in mine if key in line]
        assert len(shared) == len(mine)
        for key in shared:
            if not key.endswith("FileID"):
                assert float(mine[key]) == pytest.approx(float(line[key]), abs=1e-9), key
    if zones == (0, 0):
        mean = (float(means["pActualMCC"]) + float(means["dActualMCC"])) / 2
        assert result["summary"]["mcc"] == pytest.approx(mean, abs=1e-9)
