from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cisdl_bench.errors import StoreError
from cisdl_bench.pair_picture import OUTLINE
from cisdl_bench.report.sheet import draw_sheet, save_sheet
from cisdl_bench.store import open_pairs


def test_a_sheet_shows_pairs_and_outlines(made: Path, tmp_path: Path) -> None:
    pairs = open_pairs(made / "combination-normal")
    sheet = draw_sheet(pairs, 6, 3)
    assert sheet.size == (3 * 396 + 10, 2 * 244 + 10)
    pixels = np.asarray(sheet)
    for k in range(6):
        y, x = 10 + k // 3 * 244, 10 + k % 3 * 396
        for left in (x, x + 194):
            tile = pixels[y : y + 192, left : left + 192]
            assert (tile == OUTLINE).all(-1).sum() > 100
    save_sheet(sheet, tmp_path / "a" / "sheet.png")
    assert (tmp_path / "a" / "sheet.png").exists()
    assert np.array_equal(np.asarray(draw_sheet(pairs, 6, 3)), pixels)
    assert not np.array_equal(np.asarray(draw_sheet(pairs, 6, 3, seed=1)), pixels)


def test_the_probe_is_left_and_the_donor_right(made: Path) -> None:
    pairs = open_pairs(made / "combination-normal")
    pixels = np.asarray(draw_sheet(pairs, len(pairs), len(pairs))).astype(int)
    for k in range(3):
        pair, x = pairs[k], 10 + k * 396
        for picture, left in ((pair.probe, x), (pair.donor, x + 194)):
            small = Image.fromarray(picture).resize((192, 192), Image.Resampling.BICUBIC)
            tile = pixels[10:202, left : left + 192]
            assert np.median(np.abs(tile - np.asarray(small).astype(int))) == 0


def test_more_than_there_are(made: Path) -> None:
    pairs = open_pairs(made / "combination-normal")
    assert draw_sheet(pairs, 400, 4).size == (4 * 396 + 10, 5 * 244 + 10)


def test_a_file_that_is_no_picture(made: Path, tmp_path: Path) -> None:
    sheet = draw_sheet(open_pairs(made / "combination-normal"), 1, 1)
    with pytest.raises(StoreError, match=r"sheet.xyz: expected a picture file to write"):
        save_sheet(sheet, tmp_path / "sheet.xyz")
