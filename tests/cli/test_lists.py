"""The commands on other people's pairs: what they say, what they refuse, and in which words."""

import csv
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from conftest import make
from lists import save, write_mfc, write_plain, write_release, write_table
from PIL import Image

from cisdl_bench.cli.main import main
from cisdl_bench.scoring.rows import read_rows


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return write_plain(tmp_path / "data")


def test_a_list_is_scored_imported_and_looked_at(plain: Path, tmp_path: Path) -> None:
    shown = typed("score", "sift-ransac", "--data", plain, "-o", tmp_path / "run", "--workers", 1)
    assert shown.exit_code == 0, shown.output
    assert re.search(r"pairs: 3 pairs, .*\bIoU 0\.9", shown.stdout)
    assert "AUC 1.0000, EER 0.0000" in shown.stdout
    made = typed("import", plain, "--out", tmp_path / "sets", "--jobs", 1)
    assert made.exit_code == 0, made.output
    assert "sets/pairs: 3 pairs, fingerprint" in made.stdout
    words = ("score", "sift-ransac", "--data", tmp_path / "sets", "-o", tmp_path / "again")
    assert typed(*words, "--workers", 1).exit_code == 0
    rows = [read_rows(tmp_path / run / "pairs" / "pairs.csv") for run in ("run", "again")]
    assert rows[0]["probe_tp"].tolist() == rows[1]["probe_tp"].tolist()
    assert "format plain, 3 pairs" in typed("info", tmp_path / "sets").stdout
    assert "sound, 3 pairs" in typed("verify", tmp_path / "sets").stdout
    for k, data in enumerate((plain, tmp_path / "sets")):
        assert typed("preview", data, "-o", tmp_path / f"{k}.png").exit_code == 0
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()


def test_an_exported_set_scores_as_the_set_itself(coco: Path, tmp_path: Path) -> None:
    make(coco, tmp_path, "raw", difficulty="easy", pairs=2)
    exported = tmp_path / "release" / "raw-easy"
    exported.parent.mkdir()
    words = ("export", tmp_path / "raw-easy", "--format", "release", "-o", exported)
    assert typed(*words).exit_code == 0
    for name, data in (("a", tmp_path / "raw-easy"), ("b", exported)):
        words = ("score", "luo-blocks", "--data", data, "-o", tmp_path / name, "--workers", 1)
        assert typed(*words).exit_code == 0
    rows = [read_rows(tmp_path / run / "raw-easy" / "pairs.csv") for run in "ab"]
    for name in ("probe_tp", "probe_fp", "donor_fn", "probe_inside"):
        assert rows[0][name].tolist() == rows[1][name].tolist()
    table = typed("table", tmp_path / "b", "--layout", "paper-2")
    assert "| luo-blocks | Raw |" in table.stdout


def test_the_release_is_scored_as_its_authors_score_it(tmp_path: Path, monkeypatch) -> None:
    path = write_release(tmp_path / "data")
    module = "import torch\ndef net(): return lambda p, d: (p[:, 0].round(decimals=6), d[:, 1])\n"
    (tmp_path / "redness.py").write_text(module)
    monkeypatch.chdir(tmp_path)
    shown = typed("score", "redness:net", "--data", path, "-o", tmp_path / "run", "--device", "cpu")
    assert shown.exit_code == 0, shown.output
    sums = {"iou": 0.0, "nmm": 0.0, "mcc": 0.0}
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["label"] == "1"]
    for row in rows:
        for image, truth, channel in (("image2", "gt2", 2), ("image1", "gt1", 1)):
            bgr = cv2.imread(str(path.parent / row[image])).astype(float)
            chance = (cv2.resize(bgr, (256, 256)) / 255).astype(np.float32)[..., channel]
            answer = np.argmax(np.stack([1 - chance, chance], axis=2), axis=2)
            grey = cv2.imread(str(path.parent / row[truth]))[:, :, 0]
            grey[grey == 255] = 1
            gt = cv2.resize(grey, (256, 256), interpolation=cv2.INTER_NEAREST)
            table = np.bincount(2 * gt.ravel() + answer.ravel(), minlength=4).reshape(2, 2)
            (tn, fp), (fn, tp) = table.astype(float)
            sums["iou"] += tp / (tp + fp + fn)
            sums["nmm"] += max(-1.0, (tp - fn - fp) / gt.sum())
            root = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
            sums["mcc"] += (tp * tn - fp * fn) / root
    result = json.loads((tmp_path / "run" / "summary.json").read_text())[0]
    for name, total in sums.items():
        assert result["summary"][name] == pytest.approx(total / (2 * len(rows)), abs=1e-12)
    assert result["request"]["set"] == "combination-normal"


def test_nists_task_from_submission_to_numbers(tmp_path: Path, monkeypatch) -> None:
    index = write_mfc(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    name = "ACME_MFC18_Tiny_Splice_ImgOnly_p-sift_1"
    shown = typed("submit", "sift-ransac", "--index", index, "--out", name, "--workers", 1)
    assert shown.exit_code == 0, shown.output
    assert f"{name}/{name}.csv: 3 pairs processed; it passes the check" in shown.stdout
    assert "a valid submission" in typed("verify", name, "--index", index).stdout
    words = ("--predictions", f"{name}/{name}.csv", "--data", index, "-o", "nist")
    shown = typed("score", *words, "--zones", "none")
    assert "NIST: AUC 1, EER 0; probe/donor Optimum MCC 0." in shown.stderr
    assert (tmp_path / "nist" / "MFC18_Tiny" / "nist.csv").exists()
    table = typed("table", "nist", "--layout", "paper-4", "--published")
    assert f"| {name}-det | MFC18_Tiny | 1.0000 | 0.0000 |" in table.stdout.replace("**", "")
    Path(f"{name}/{name}.csv").write_text("ProbeFileID|DonorFileID|ConfidenceScore\n")
    shown = typed("verify", name, "--index", index)
    assert shown.exit_code == 2


def test_wrong_names_are_refused_before_any_work(tmp_path: Path) -> None:
    index = write_mfc(tmp_path / "data")
    shown = typed("submit", "no-such-model.pt", "--index", index, "--out", tmp_path / "Mine")
    assert shown.exit_code == 2
    assert "TEAM_NCID_DATA_Splice_CONDITION_SYSTEM_VERSION" in shown.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["score"], "give either MODEL or --predictions FILE"),
        (["score", "empty", "--predictions", "p.csv"], "give either MODEL or --predictions FILE"),
        (
            ["score", "--predictions", "p.csv", "--perturb", "jpeg:70"],
            "--perturb is for",
        ),
        (["score", "--predictions", "gone.csv"], "gone.csv: "),
        (["score", "empty", "--data", "gone.csv"], "gone.csv: there is no set"),
        (
            ["score", "--predictions", "p.csv", "--zones", "4,3"],
            "'4,3' is not nist, none, or two",
        ),
        (["import", "made"], "combination-normal is a set already. Score it"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    words: list[str], message: str, made: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("made").symlink_to(made)
    shown = typed(*words)
    assert shown.exit_code == 2, shown.output
    assert message in shown.stderr


def write_bad(root: Path, name: str) -> tuple[Path, str]:
    """One plain list with one thing wrong, and what is said of it."""
    rows = [["probe", "donor", "probe_mask"], ["raw-probe.png", "raw-donor.png", ""]]
    if name == "unreadable TIFF":
        rows[1][0] = "bad.tif"
        (root / "bad.tif").write_bytes(b"II*\x00" + bytes(40))
        said = "bad.tif: "
    elif name == "mask of another size":
        rows[1][2] = "masks/raw-donor.png"
        said = "raw-donor.png: "
    else:
        rows[0] = ["probe", "mask", "x"]
        said = "Name the columns in its first line"
    return write_table(root / "bad.csv", rows), said


@pytest.mark.parametrize("name", ["unreadable TIFF", "mask of another size", "missing columns"])
def test_bad_input_is_one_line(plain: Path, tmp_path: Path, name: str) -> None:
    table, said = write_bad(plain.parent, name)
    shown = typed("score", "empty", "--data", table, "-o", tmp_path / "r", "--workers", 1)
    assert shown.exit_code == 2, shown.output
    (line,) = [line for line in shown.stderr.splitlines() if line.startswith("cisdl-bench:")]
    assert said in line
    if name == "unreadable TIFF":
        words = ("--data", table, "-o", tmp_path / "r", "--workers", 1, "--skip-unusable")
        shown = typed("score", "empty", *words)
        assert "Give the folder of their pictures by --images" in shown.stderr


def test_good_input_of_every_kind_is_right(plain: Path, tmp_path: Path) -> None:
    root = plain.parent
    rgb = cv2.cvtColor(cv2.imread(str(root / "shifted-probe.png")), cv2.COLOR_BGR2RGB)
    Image.fromarray(rgb).convert("CMYK").save(root / "cmyk.tif")
    sixteen = Image.fromarray(rgb[..., 1].astype(np.uint16) * 256)
    sixteen.save(root / "sixteen.png")
    save(root / "large.jpg", cv2.resize(rgb, (5472, 3648), interpolation=cv2.INTER_CUBIC))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(rgb)).save(root / "turned.png", exif=exif)
    names = ["shifted-probe.png", "cmyk.tif", "sixteen.png", "large.jpg", "turned.png"]
    lines = ["\ufeffprobe,donor,label,probe_mask,donor_mask"]
    true = "masks/shifted-probe.png", "masks/shifted-donor.png"
    for name in names:
        masks = ("", true[1]) if name == "large.jpg" else true
        lines.append(f'"{name}",shifted-donor.png,1,{",".join(masks)}')
    (root / "kinds.csv").write_bytes("\r\n".join(lines).encode())
    words = ("--data", root / "kinds.csv", "-o", tmp_path / "r", "--workers", 1)
    shown = typed("score", "sift-ransac", *words)
    assert shown.exit_code == 0, shown.output
    rows = read_rows(tmp_path / "r" / "kinds" / "pairs.csv")
    assert rows["probe"].tolist() == names
    iou = rows["donor_tp"] / (rows["donor_tp"] + rows["donor_fp"] + rows["donor_fn"])
    assert (iou > [0.9, 0.9, 0.5, 0.9, 0.9]).all(), iou  # grey has no colours to compare
    assert rows["probe_known"].tolist() == [1, 1, 1, 0, 1]
