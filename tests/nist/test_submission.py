"""The cases of NIST's validator, and what its scorer needs beyond it."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from lists import write_mfc

from cisdl_bench.nist.submission import check_name, check_submission, find_style

NAME = "ACME_MFC18_Tiny_Splice_ImgOnly_p-mine_1"
HEAD = "ProbeFileID|DonorFileID|ConfidenceScore|OutputProbeMaskFileName|OutputDonorMaskFileName"
STATUS = "ProbeStatus|DonorStatus|ProbeOptOutPixelValue|DonorOptOutPixelValue"


def write_submission(root: Path, name: str = NAME) -> Path:
    folder = root / name
    (folder / "mask").mkdir(parents=True)
    cv2.imwrite(str(folder / "mask" / "p.png"), np.full((240, 320), 255, dtype=np.uint8))
    grey = np.full((300, 256), 255, dtype=np.uint8)
    grey[50:90, 20:70] = 0
    cv2.imwrite(str(folder / "mask" / "d.png"), grey)
    lines = [
        f"{HEAD}|{STATUS}",
        "p-raw|d-raw|0.9|mask/p.png|mask/d.png|Processed|Processed||",
        "p-shifted|d-shifted|0.4|||OptOutLocalization|OptOutLocalization||",
        "p-other|d-raw|-1.5e1|||NonProcessed|FailedValidation||",
    ]
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return folder / f"{name}.csv"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return write_mfc(tmp_path / "data")


def problems(table: Path, index: Path, ncid: str | None = None) -> str:
    return "\n".join(check_submission(table, index, ncid))


def test_valid_ones_pass(tmp_path: Path, index: Path) -> None:
    table = write_submission(tmp_path)
    assert problems(table, index) == ""
    table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    assert problems(table, index) == ""
    old = f"{HEAD}|IsOptOut\np-raw|d-raw|1|||N\np-shifted|d-shifted|0|||Y\np-other|d-raw|0|||N\n"
    nc17 = tmp_path / NAME.replace("MFC18", "NC17")
    nc17.mkdir()
    (nc17 / f"{nc17.name}.csv").write_text(old)
    assert problems(nc17 / f"{nc17.name}.csv", index, "NC17") == ""


@pytest.mark.parametrize(
    ("name", "ncid", "message"),
    [
        (NAME, "NC17", "expected NC17 as its second field, got MFC18"),
        (NAME.replace("ACME", "AC_ME"), None, "7 fields, got 8"),
        (NAME.replace("_1", ""), None, "7 fields, got 6"),
        (NAME.replace("Splice", "Manipulation"), None, "expected Splice as its fourth field"),
        (NAME.replace("ImgOnly", "Img Only"), None, "expected letters, digits"),
    ],
)
def test_names(tmp_path: Path, index: Path, name: str, ncid: str | None, message: str) -> None:
    assert message in problems(write_submission(tmp_path, name), index, ncid)


def test_the_folder_is_named_as_the_file(tmp_path: Path, index: Path) -> None:
    table = write_submission(tmp_path)
    moved = table.parent.rename(tmp_path / "other")
    assert "expected a folder of that name, got other" in problems(moved / table.name, index)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("|0.9|", "|nan|", "expected a finite ConfidenceScore, got 'nan'"),
        ("|0.9|", "|inf|", "expected a finite ConfidenceScore, got 'inf'"),
        ("|0.9|", "|high|", "expected a finite ConfidenceScore, got 'high'"),
        ("p-other|d-raw|-1.5e1|||NonProcessed|FailedValidation||\n", "", "expected 3 rows"),
        ("p-raw|d-raw", "d-raw|p-raw", "expected a pair of the index, got another"),
        ("Processed|Processed||", "Done|Processed||", "expected ProbeStatus out of Processed, "),
        ("|FailedValidation||", "|OptOutAll||", "expected DonorStatus out of Processed, "),
        ("p-shifted|d-shifted", "p-raw|d-raw", "expected each pair once, got it again"),
        ("mask/p.png", "mask/none.png", "mask/none.png: expected a file, got none"),
        ("mask/p.png", "mask/d.png", "expected 320 x 240 px as the index says, got 256 x 300"),
        ("mask/p.png", "../p.png", "expected a mask within the submission's folder"),
    ],
)
def test_rows(tmp_path: Path, index: Path, old: str, new: str, message: str) -> None:
    table = write_submission(tmp_path)
    table.write_text(table.read_text().replace(old, new, 1))
    assert message in problems(table, index)


def _cut(text: str, columns: int) -> str:
    return "".join("|".join(line.split("|")[:-columns]) + "\n" for line in text.splitlines())


def test_columns(tmp_path: Path, index: Path) -> None:
    table = write_submission(tmp_path)
    whole = table.read_text()
    table.write_text(_cut(whole, 1))
    assert "expected both OptOutPixelValue columns, got one" in problems(table, index)
    table.write_text(_cut(whole, 2))
    assert problems(table, index) == ""
    table.write_text(_cut(whole, 4))
    assert "expected the columns ProbeStatus and DonorStatus, or IsOptOut" in problems(table, index)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda p, g: cv2.imwrite(str(p), np.dstack([g] * 3)), "expected one channel, got RGB"),
        (lambda p, g: p.write_bytes(cv2.imencode(".jpg", g)[1]), "expected a PNG file, got JPEG"),
        (lambda p, g: p.write_bytes(b"PNG"), "expected a PNG file, got 'cannot identify"),
    ],
)
def test_masks(
    tmp_path: Path, index: Path, write: Callable[[Path, np.ndarray], object], message: str
) -> None:
    table = write_submission(tmp_path)
    write(table.parent / "mask" / "p.png", np.full((240, 320), 255, dtype=np.uint8))
    assert message in problems(table, index)


def test_styles() -> None:
    assert find_style("NC17").columns == ("IsOptOut",)
    assert find_style("MFC19").opted_out == ("OptOutAll", "OptOutLocalization")
    assert check_name(NAME, "MFC18") == ""
