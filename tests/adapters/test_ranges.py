"""Value ranges of pictures and masks, decoders that raise, and advice that fits."""

import os
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import Heard
from lists import save, write_plain, write_table
from PIL import Image

from cisdl_bench.adapters import masks as masks_module
from cisdl_bench.adapters import picture as picture_module
from cisdl_bench.adapters.masks import read_levels, read_mask
from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.picture import read_picture
from cisdl_bench.adapters.predictions import read_predictions
from cisdl_bench.errors import SourceError
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.predicted import PredictionScorer
from cisdl_bench.scoring.run import run_jobs

TRUE = np.zeros((6, 9), dtype=bool)
TRUE[1:4, 2:7] = True

WAYS = {
    "8 bits 0/1": (TRUE.astype(np.uint8), "png"),
    "8 bits": (TRUE.astype(np.uint8) * 255, "png"),
    "1 bit": (TRUE, "png"),
    "rgb 0/1": (np.repeat(TRUE[..., None], 3, axis=2).astype(np.uint8), "png"),
    "16 bits": (TRUE.astype(np.uint16) * 65535, "png"),
    "16 bits 0/1": (TRUE.astype(np.uint16), "png"),
    "16 bits of 8": (TRUE.astype(np.uint16) * 255, "png"),
    "32 bits": (TRUE.astype(np.int32) * 65535, "tif"),
    "32 bits 0/1": (TRUE.astype(np.int32), "tif"),
    "32 bits of 8": (TRUE.astype(np.int32) * 255, "tif"),
    "floats": (TRUE.astype(np.float32), "tif"),
    "floats of 8 bits": (TRUE.astype(np.float32) * 255, "tif"),
}


@pytest.mark.parametrize("way", WAYS)
def test_masks_of_any_range_are_one_mask(tmp_path: Path, way: str) -> None:
    values, ending = WAYS[way]
    path = tmp_path / f"m.{ending}"
    Image.fromarray(values).save(path)
    assert np.array_equal(read_levels(path)[..., 0], TRUE * 255)
    for rule in ("white", "255"):
        assert np.array_equal(read_mask(path, rule, TRUE.shape), TRUE)


@pytest.mark.parametrize("way", WAYS)
def test_predicted_masks_are_read_by_the_same_rule(tmp_path: Path, way: str) -> None:
    values, ending = WAYS[way]
    for name in ("p.png", "d.png"):
        save(tmp_path / name, np.zeros((6, 9, 3), dtype=np.uint8))
    save(tmp_path / "truth.png", TRUE.astype(np.uint8) * 255)
    Image.fromarray(values).save(tmp_path / f"m.{ending}")
    columns = ["probe", "donor", "probe_mask", "donor_mask"]
    data = write_table(tmp_path / "l.csv", [columns, ["p.png", "d.png", "truth.png", "truth.png"]])
    columns = ["probe", "donor", "score", "probe_mask", "donor_mask"]
    rows = [columns, ["p.png", "d.png", 1, f"m.{ending}", f"m.{ending}"]]
    predictions = read_predictions(write_table(tmp_path / "s.csv", rows))
    pairs = open_list(data, ListOptions(), Heard())
    job = ScoreJob(pairs, Perturbation())
    (result,) = run_jobs(
        PredictionScorer(predictions), [job], tmp_path / "r", ScoreOptions(), Heard()
    )
    assert result["summary"]["iou"] == result["summary"]["mcc"] == 1


def test_a_level_is_above_the_middle_just_where_the_value_is(tmp_path: Path) -> None:
    values = np.array([[0, 0.25, 0.5, np.nextafter(np.float32(0.5), 1), 0.51, 1]], np.float32)
    Image.fromarray(values).save(tmp_path / "m.tif")
    levels = read_levels(tmp_path / "m.tif")[0, :, 0]
    assert (levels / 255 > 0.5).tolist() == (values[0] > 0.5).tolist()
    deep = np.array([[0, 32767, 32768, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "m.png")
    levels = read_levels(tmp_path / "m.png")[0, :, 0]
    assert (levels / 255 > 0.5).tolist() == (deep[0] / 65535 > 0.5).tolist()


@pytest.mark.parametrize(
    ("values", "ending", "got"),
    [
        (np.array([[0, 200]], np.uint16), "png", "values from 0 to 200, of uint16"),
        (np.array([[-1, 7]], np.int32), "tif", "values from -1 to 7, of int32"),
        (np.array([[0, 70000]], np.int32), "tif", "values from 0 to 70000, of int32"),
        (np.array([[0, 3.5]], np.float32), "tif", "values from 0 to 3.5, of float32"),
        (np.array([[0, np.nan]], np.float32), "tif", "values that are NaN"),
        (np.array([[-0.5, 1]], np.float32), "tif", "values from -0.5 to 1, of float32"),
    ],
)
def test_ranges_that_cannot_be_told_are_refused(
    tmp_path: Path, values: np.ndarray, ending: str, got: str
) -> None:
    path = tmp_path / f"m.{ending}"
    Image.fromarray(values).save(path)
    with pytest.raises(SourceError, match=rf"got {got}\. Save it with 8 bits a channel\.$"):
        read_levels(path)


def test_truth_without_one_tampered_level_is_refused(tmp_path: Path) -> None:
    Image.fromarray(TRUE.astype(np.uint8) * 100).save(tmp_path / "m.png")
    with pytest.raises(SourceError, match=r"got levels up to 100\. Save it with 0 and 255"):
        read_mask(tmp_path / "m.png", "white", TRUE.shape)
    Image.fromarray(TRUE.astype(np.uint8) * 0).save(tmp_path / "e.png")
    assert not read_mask(tmp_path / "e.png", "white", TRUE.shape).any()


def test_nists_masks_are_taken_literally(tmp_path: Path) -> None:
    levels = np.array([[0, 1, 1]], dtype=np.uint8)
    Image.fromarray(levels).save(tmp_path / "m.png")
    assert read_levels(tmp_path / "m.png", literal=True)[0, :, 0].tolist() == [0, 1, 1]
    Image.fromarray(np.array([[0, 257, 65535]], np.uint16)).save(tmp_path / "n.png")
    assert read_levels(tmp_path / "n.png", literal=True)[0, :, 0].tolist() == [0, 1, 255]


@pytest.mark.parametrize("top", [255, 1023, 4095, 16383])
def test_grey_of_16_bits_that_holds_fewer_is_refused(tmp_path: Path, top: int) -> None:
    ramp = np.linspace(0, top, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "g.png")
    message = rf"levels 0 to {top:,}\. Save it with 8 bits"
    with pytest.raises(SourceError, match=message):
        read_picture(tmp_path / "g.png")


def test_grey_of_16_bits_keeps_the_upper_eight(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "g.png")
    assert np.array_equal(read_picture(tmp_path / "g.png")[..., 1], ramp // 256)
    Image.fromarray(ramp * 0).save(tmp_path / "z.png")
    assert not read_picture(tmp_path / "z.png").any()
    for wrong in (ramp.astype(np.int32) * 9, -ramp.astype(np.int32)):
        Image.fromarray(wrong).save(tmp_path / "w.tif")
        with pytest.raises(SourceError, match="grey of 16 bits or more with levels"):
            read_picture(tmp_path / "w.tif")


@pytest.mark.parametrize(
    "raised",
    [
        RuntimeError("avif: truncated data."),
        NotImplementedError("unimplemented pixel format"),
        MemoryError(),
        struct.error("unpack requires a buffer of 4 bytes"),
        IndexError("index out of range"),
        KeyError("Orientation"),
        ZeroDivisionError("division by zero"),
        AttributeError("'NoneType' object has no attribute 'read'"),
        OSError("image file is truncated (3 bytes not processed)"),
        EOFError(),
        SyntaxError("broken PNG file"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        OverflowError("Python int too large to convert to C long"),
        AssertionError(),
    ],
    ids=lambda raised: type(raised).__name__,
)
@pytest.mark.parametrize("module", [picture_module, masks_module])
def test_whatever_a_decoder_raises_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, module
) -> None:
    def broken(_: object) -> None:
        raise raised

    path = tmp_path / "a.jpg"
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)
    monkeypatch.setattr(module.ImageOps, "exif_transpose", broken)
    read = read_picture if module is picture_module else read_levels
    with pytest.raises(SourceError, match=r"a\.jpg: expected a \w+ that can be read, got ") as e:
        read(path)
    text = str(e.value)
    assert "\n" not in text
    assert ".." not in text.replace(str(tmp_path), "")
    assert "PNG or JPEG" not in text  # it is a JPEG


def test_advice_fits_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(path: Path) -> str:
        with pytest.raises(SourceError) as e:
            read_picture(path)
        return str(e.value)

    (tmp_path / "l1").symlink_to(tmp_path / "l2")
    (tmp_path / "l2").symlink_to(tmp_path / "l1")
    assert "Too many levels of symbolic links'. Check the path." in said(tmp_path / "l1")
    assert said(tmp_path).endswith("got a folder. Name a file.")
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert said(tmp_path / "a.png").endswith("It is damaged, or no picture: replace it.")
    (tmp_path / "a.xyz").write_bytes(b"no picture")
    assert said(tmp_path / "a.xyz").endswith("Save it as PNG or JPEG.")
    assert "a name that no file can have" in said(Path("a\0b"))
    assert "File name too long'. Check the path" in said(tmp_path / ("x" * 300))
    assert "no such file" in said(Path("caf\udce9.png"))
    if os.getuid():
        (tmp_path / "a.png").chmod(0)
        assert "a file that may not be read. Allow it" in said(tmp_path / "a.png")


def test_large_pictures_are_read_silently_and_bombs_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    picture_module._without_warnings.cache_clear()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        picture_module._without_warnings.cache_clear()
        assert read_picture(tmp_path / "a.png").shape == (40, 40, 3)
    assert not heard
    picture_module._without_warnings.cache_clear()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    with pytest.raises(SourceError, match=r"got more than 1,400 pixels\. Make it smaller\.$"):
        read_picture(tmp_path / "a.png")


def test_what_is_wrong_with_a_pair_leaves_it_out_by_reason(tmp_path: Path) -> None:
    data = write_plain(tmp_path)
    rows: list[list[object]] = [line.split(",") for line in data.read_text().splitlines()]
    good = rows[1]
    (tmp_path / "broken.png").write_bytes(b"no picture")
    half = np.zeros((120, 160), np.uint8)
    save(tmp_path / "half.png", half)
    rows += [
        ["broken.png", "raw-donor.png", 0, "", ""],
        ["gone.png", "raw-donor.png", 0, "", ""],
        [good[0], "shifted-donor.png", 1, "half.png", "masks/shifted-donor.png"],
        [good[0], "other-probe.png", 1, "broken.png", ""],
        ["shifted-probe.png", "raw-donor.png", 0, "masks/shifted-probe.png", ""],
        ["other-probe.png", "raw-donor.png", 1, "", ""],
    ]
    write_table(data, rows)
    heard = Heard()
    pairs = open_list(data, ListOptions(skip_unusable=True), heard)
    assert list(pairs.indices) == [0, 1]
    assert pairs.facts["left_out_by_reason"] == {
        "contradictory label": 3,
        "broken picture": 1,
        "missing file": 1,
        "mask of another size": 1,
        "broken mask": 1,
    }
    assert "a mask of 320 x 240 px, as its picture, got 160 x 120" in pairs.left_out[5]
    assert "label 0, but tampered pixels in" in pairs.left_out[7]
    assert "named again as pair 8 with another label" in pairs.left_out[2]
    assert "mask of another size 1" in heard.lines[0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ["raw-probe.png", "raw-donor.png", 0, "", ""],
            "pair 3: .*pair 0 .*Correct the row",
        ),
        (
            ["raw-probe.png", "other-probe.png", 0, "masks/raw-probe.png", ""],
            "pair 3: label 0.*Correct the row",
        ),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, row: list[object], message: str) -> None:
    data = write_plain(tmp_path)
    rows: list[list[object]] = [line.split(",") for line in data.read_text().splitlines()]
    write_table(data, [*rows, row])
    with pytest.raises(SourceError, match=message):
        open_list(data, ListOptions(), Heard())
