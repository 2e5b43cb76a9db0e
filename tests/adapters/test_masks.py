from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cisdl_bench.adapters.canvas import RULES as CANVAS
from cisdl_bench.adapters.masks import RULES, read_levels, read_mask
from cisdl_bench.errors import SourceError

TRUE = np.zeros((6, 9), dtype=bool)
TRUE[1:4, 2:7] = True


def saved(path: Path, picture: Image.Image) -> Path:
    picture.save(path)
    return path


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray(TRUE.astype(np.uint8) * 255),
        Image.fromarray(TRUE.astype(np.uint8)),
        Image.fromarray(TRUE),
        Image.fromarray(np.repeat(TRUE[..., None], 3, axis=2).astype(np.uint8) * 255),
        Image.fromarray(TRUE.astype(np.uint16) * 65535),
        Image.fromarray(TRUE.astype(np.uint8) * 255).convert("P"),
        Image.fromarray(TRUE.astype(np.uint8) * 255).convert("LA"),
        Image.fromarray(TRUE.astype(np.uint8) * 200),
    ],
    ids=["grey", "ones", "bits", "rgb", "16-bit", "palette", "alpha", "light"],
)
def test_white_is_tampered_in_any_mode(tmp_path: Path, picture: Image.Image) -> None:
    path = saved(tmp_path / "m.png", picture)
    assert np.array_equal(read_mask(path, "white", TRUE.shape), TRUE)


def test_each_rule_draws_its_own_line(tmp_path: Path) -> None:
    levels = np.array([[0, 1, 127, 128, 254, 255]], dtype=np.uint8)
    path = saved(tmp_path / "m.png", Image.fromarray(levels))
    found = {name: read_mask(path, name, (1, 6))[0].tolist() for name in RULES}
    assert found["white"] == [False, False, False, True, True, True]
    assert found["255"] == [False] * 5 + [True]
    assert found["not-white"] == [True] * 5 + [False]


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.png", Image.fromarray(TRUE))
    with pytest.raises(SourceError, match=r"8 x 6 .*9 x 6. Give the mask"):
        read_mask(path, "white", (6, 8))
    with pytest.raises(SourceError, match="no such file. Give the path"):
        read_levels(tmp_path / "gone.png")


def test_a_pixel_of_the_canvas_is_tampered_where_half_of_it_is() -> None:
    mask = np.zeros((4, 4), dtype=bool)
    mask[0, :2] = mask[2, 0] = True
    assert CANVAS["area"].mask(mask, 2).tolist() == [[True, False], [False, False]]
    assert CANVAS["area"].mask(mask, 4) is mask
    assert CANVAS["release"].mask(mask, 2).tolist() == [[True, False], [True, False]]
