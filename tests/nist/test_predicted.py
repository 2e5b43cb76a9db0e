"""NIST's own numbers for a system output."""

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import references
from click.testing import CliRunner, Result
from conftest import Heard
from lists import save, write_mfc

from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.predictions import read_predictions
from cisdl_bench.cli.main import main
from cisdl_bench.nist import mediscore, sweep
from cisdl_bench.nist.predicted import write_nist
from cisdl_bench.pairs import Pairs
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.predicted import PredictionScorer
from cisdl_bench.scoring.run import run_jobs


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def opened(path: Path) -> Pairs:
    return open_list(path, ListOptions(), Heard())


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
        settings = ScoreOptions(zones=zones)
        out = tmp_path / f"{zones[0]}"
        (result,) = run_jobs(
            PredictionScorer(predictions), [ScoreJob(pairs, Perturbation())], out, settings, Heard()
        )
        assert result["summary"]["iou"] == 1
        summary = write_nist(predictions, pairs, out / "MFC18_Tiny", settings)
        assert summary["all"]["localization"]["pOptimumMCC"] == 1
        assert summary["all"]["detection"]["AUC"] == 0.5
        assert summary["opted_in"]["detection"]["TRR"] == pytest.approx(2 / 3)
        table = csv.DictReader((out / "MFC18_Tiny" / "nist.csv").open())
        band = [int(row["pPixelBNS"]) for row in table]
        assert all(band) == any(zones)


def nist_submission(root: Path, statuses: dict[str, tuple[str, str]]) -> tuple[Path, Path]:
    """A system output that is right on both target pairs; return the index and the table."""
    index = write_mfc(root)
    folder = root / "reference" / "splice"
    masks = "OutputProbeMaskFileName|OutputDonorMaskFileName"
    rows = [f"ProbeFileID|DonorFileID|ConfidenceScore|{masks}|ProbeStatus|DonorStatus"]
    for name, score_ in (("raw", 0.9), ("shifted", 0.8)):
        status = "|".join(statuses.get(name, ("Processed", "Processed")))
        rows.append(
            f"p-{name}|d-{name}|{score_}|mask/{name}-probe.png|mask/{name}-donor.png|{status}"
        )
    rows.append(
        "p-other|d-raw|0.1|||" + "|".join(statuses.get("other", ("Processed", "Processed")))
    )
    (folder / "system.csv").write_text("\n".join(rows))
    return index, folder / "system.csv"


def test_one_side_of_a_pair_may_be_scored_alone(tmp_path: Path) -> None:
    # The donor of the first pair is opted out, and the reference of the second's probe is blank.
    statuses = {"raw": ("Processed", "OptOutLocalization")}
    index, table = nist_submission(tmp_path / "data", statuses)
    blank = tmp_path / "data" / "reference" / "splice" / "mask" / "shifted-probe.png"
    save(blank, np.full((240, 320), 255, dtype=np.uint8))
    predictions, pairs = read_predictions(table), opened(index)
    out = tmp_path / "r" / "MFC18_Tiny"
    run_jobs(
        PredictionScorer(predictions),
        [ScoreJob(pairs, Perturbation())],
        out.parent,
        ScoreOptions(),
        Heard(),
    )
    summary = write_nist(predictions, pairs, out, ScoreOptions())
    rows = list(csv.DictReader((out / "nist.csv").open()))
    assert rows[0]["dOptimumThreshold"] != ""
    assert rows[1]["pOptimumThreshold"] == ""
    for part, sides in (("all", "pd"), ("opted_in", "pd")):
        for side in sides:
            assert summary[part]["localization"][f"{side}OptimumMCC"] == 1
    assert json.loads((out / "nist.json").read_text())["opted_in"]
    # Both first sides alone: no column of the other side is asked for.
    only = mediscore.localization_summary([{"p": scored_of(50, 200)}, {"d": scored_of(60, 200)}])
    assert (only["pMaximumThreshold"], only["dMaximumThreshold"]) == (50, 60)


def scored_of(true: int, false: int) -> mediscore.ScoredMask:
    """A mask of one tampered pixel and one clean one, at these levels."""
    levels = np.array([[true, false]], dtype=np.uint8)
    target = np.array([[True, False]])
    return mediscore.ScoredMask(sweep.sweep(levels, target, np.ones((1, 2), dtype=bool)), 0, 0, 0)


def test_common_thresholds_are_of_the_masks_that_take_part(tmp_path: Path) -> None:
    # Alone the first mask is best at 79. The second, opted out, is right at 78 and wrong at 79:
    # of both together 78 and 79 are worth as much, and the lower one counts.
    first, second = scored_of(79, 200), scored_of(78, 79)
    everyone = mediscore.localization_summary([{"p": first}, {"p": second}])
    assert (everyone["pMaximumThreshold"], everyone["pMaximumMCC"]) == (78, 0.5)
    alone = mediscore.localization_summary([{"p": first}])
    assert (alone["pMaximumThreshold"], alone["pMaximumMCC"]) == (79, 1)
    # The same through files, the second pair's probe being opted out.
    statuses = {"shifted": ("OptOutLocalization", "Processed")}
    index, table = nist_submission(tmp_path / "data", statuses)
    for name, levels in (("raw", (79, 200)), ("shifted", (78, 79))):
        path = tmp_path / "data" / "reference" / "splice" / "mask" / f"{name}-probe.png"
        black = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) == 0
        save(table.parent / f"s-{name}.png", np.where(black, *levels).astype(np.uint8))
        text = table.read_text().replace(f"mask/{name}-probe.png", f"s-{name}.png")
        table.write_text(text)
    predictions, pairs = read_predictions(table), opened(index)
    summary = write_nist(predictions, pairs, tmp_path / "r", ScoreOptions())
    assert summary["all"]["localization"]["pMaximumThreshold"] == 78
    assert summary["opted_in"]["localization"]["pMaximumThreshold"] == 79
    assert summary["opted_in"]["localization"]["pMaximumMCC"] == 1
    assert summary["opted_in"]["localization"]["dMaximumMCC"] == 1


def predicted_of(path: Path, **settings: Any) -> Pairs:
    return open_list(path, ListOptions(pictures=False, **settings), Heard())


def test_an_opted_out_unreadable_probe_is_no_obstacle(tmp_path: Path) -> None:
    index = write_mfc(tmp_path / "data")
    (tmp_path / "data" / "shifted-probe.png").write_bytes(b"no picture")
    name = "ACME_MFC18_Tiny_Splice_ImgOnly_p-x_1"
    shown = typed("submit", "empty", "--index", index, "-o", tmp_path / name)
    assert shown.exit_code == 0, shown.output
    assert "1 pairs opted out" in shown.stdout
    table = tmp_path / name / f"{name}.csv"
    for words in ((), ("--skip-unusable",)):
        out = tmp_path / f"r{len(words)}"
        shown = typed("score", "--predictions", table, "--data", index, "-o", out, *words)
        assert shown.exit_code == 0, shown.output
        found = json.loads((out / "MFC18_Tiny" / "nist.json").read_text())
        assert found["all"]["detection"]["TRR"] == 1
        assert found["opted_in"]["detection"]["TRR"] == pytest.approx(2 / 3, abs=1e-12)
        assert len(list(csv.DictReader((out / "MFC18_Tiny" / "nist.csv").open()))) == 2


def test_a_trial_whose_reference_is_broken_stays_in_the_totals(tmp_path: Path) -> None:
    index, table = nist_submission(tmp_path / "data", {})
    mask = tmp_path / "data" / "reference" / "splice" / "mask" / "raw-donor.png"
    mask.write_bytes(b"no picture")
    # The system's mask is the same file here: give it another.
    save(table.parent / "s.png", np.zeros((300, 256), dtype=np.uint8))
    table.write_text(table.read_text().replace("mask/raw-donor.png", "s.png"))
    words = ("score", "--predictions", table, "--data", index, "-o")
    shown = typed(*words, tmp_path / "a")
    assert shown.exit_code == 2
    assert "raw-donor.png: " in shown.stderr
    shown = typed(*words, tmp_path / "b", "--skip-unusable")
    assert shown.exit_code == 0, shown.output
    found = json.loads((tmp_path / "b" / "MFC18_Tiny" / "nist.json").read_text())["all"]
    assert (found["detection"]["TRR"], found["detection"]["AUC"]) == (1, 1)
    assert found["localization"]["pOptimumMCC"] == 1
    summary = json.loads((tmp_path / "b" / "MFC18_Tiny" / "result.json").read_text())["summary"]
    assert (summary["pairs"], summary["masks_unknown"]) == (3, 1)


def test_a_trial_without_answer_counts_in_the_response_rate(tmp_path: Path) -> None:
    index, table = nist_submission(tmp_path / "data", {})
    table.write_text("\n".join(table.read_text().splitlines()[:-1]))
    words = ("score", "--predictions", table, "--data", index, "-o")
    shown = typed(*words, tmp_path / "a")
    assert "p-other d-raw. Name pairs as the list does" in shown.stderr
    (tmp_path / "data" / "other-probe.png").unlink()
    shown = typed(*words, tmp_path / "b", "--skip-unusable")
    assert shown.exit_code == 0, shown.output
    found = json.loads((tmp_path / "b" / "MFC18_Tiny" / "nist.json").read_text())
    assert found["all"]["detection"]["TRR"] == pytest.approx(2 / 3, abs=1e-12)
    assert found["all"]["detection"]["AUC"] is None  # no trial that is no target is left


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """NIST's small data set on disk, without pictures; return its index and the submission."""
    root = tmp_path_factory.mktemp("nist") / "MFC18_Synth"
    for folder, name in (("indexes", "index"), ("reference/splice", "ref")):
        (root / folder).mkdir(parents=True)
        text = references.splice()["index" if name == "index" else "reference"]
        (root / folder / f"MFC18_Synth-splice-{name}.csv").write_text(text)
    out = root.parent / "submission"
    out.mkdir()
    (out / "system.csv").write_text(references.splice()["submission"])
    for mask in references.splice()["masks"]:
        save((root if mask.startswith("reference") else out) / mask, references.mask_of(mask))
    return root / "indexes" / "MFC18_Synth-splice-index.csv", out / "system.csv"


@pytest.mark.parametrize(("zones", "name"), [((15, 11), "eks15_dks11"), ((0, 0), "eks0_dks0")])
def test_nists_fixture_gives_nists_numbers(
    fixture: tuple[Path, Path], zones: tuple[int, int], name: str, tmp_path: Path
) -> None:
    pairs, predictions = predicted_of(fixture[0]), read_predictions(fixture[1])
    settings = ScoreOptions(zones=zones)
    (result,) = run_jobs(
        PredictionScorer(predictions),
        [ScoreJob(pairs, Perturbation())],
        tmp_path,
        settings,
        Heard(),
    )
    write_nist(predictions, pairs, tmp_path / "MFC18_Synth", settings)
    found = json.loads((tmp_path / "MFC18_Synth" / "nist.json").read_text())
    theirs = references.splice()["expected"][name]
    for part, file in (("all", "detection_all"), ("opted_in", "detection_optout_all")):
        if f"{file}_report.csv" not in theirs:
            continue
        (detection,) = references.rows_of(theirs[f"{file}_report.csv"])
        compared = [key for key in detection if key in found[part]["detection"]]
        assert len(compared) == 13
        # The scorer was run without --ci; or NaN is sorted by another algorithm than NIST's.
        if float(detection["AUC_CI_UPPER"]) == 0 or sys.version_info >= (3, 13):
            compared = [key for key in compared if "_CI_" not in key]
        for key in compared:  # the report rounds to 6 decimals, TRR to 2
            digits = 2 if key == "TRR" else 6
            assert round(found[part]["detection"][key], digits) == float(detection[key]), key
    for part, folder in (("all", "localization"), ("opted_in", "localization_optout")):
        if f"{folder}/loc_mask_score.csv" not in theirs:
            continue
        (means,) = references.rows_of(theirs[f"{folder}/loc_mask_score.csv"])
        mine, compared = found[part]["localization"], []
        for key, value in means.items():
            if key not in mine:
                continue
            compared.append(key)
            if key in ("pOptimumThreshold", "dOptimumThreshold"):
                assert math.floor(mine[key]) == int(value)  # NIST cuts the mean of thresholds off
            else:
                assert mine[key] == pytest.approx(float(value), abs=1e-9), key
        assert len(compared) >= 58
    (means,) = references.rows_of(theirs["localization/loc_mask_score.csv"])
    lines = references.rows_of(theirs["localization/loc_mask_scores_perimage.csv"])
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
