from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cisdl_bench.adapters.picture import read_picture
from cisdl_bench.errors import SourceError

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def saved(path: Path, picture: Image.Image, **settings) -> Path:
    picture.save(path, **settings)
    return path


def test_rgb_is_read_as_it_is(tmp_path: Path) -> None:
    for name in ("a.png", "a.bmp", "a.tif"):
        assert np.array_equal(read_picture(saved(tmp_path / name, Image.fromarray(RGB))), RGB)


def test_other_modes_become_rgb(tmp_path: Path) -> None:
    grey = RGB[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    assert np.array_equal(read_picture(saved(tmp_path / "g.png", Image.fromarray(grey))), expected)
    sixteen = Image.fromarray(grey.astype(np.uint16) * 256 + 77)
    assert np.array_equal(read_picture(saved(tmp_path / "s.png", sixteen)), expected)
    cmyk = Image.fromarray(RGB).convert("CMYK")
    found = read_picture(saved(tmp_path / "c.tif", cmyk))
    assert np.abs(found.astype(int) - RGB).max() <= 2
    clear = np.dstack([RGB, np.zeros((20, 30), dtype=np.uint8)])
    clear[:10, :, 3] = 255
    found = read_picture(saved(tmp_path / "t.png", Image.fromarray(clear)))
    assert np.array_equal(found[:10], RGB[:10])
    assert (found[10:] == 255).all()


def test_an_exif_rotation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    path = saved(tmp_path / "r.png", Image.fromarray(RGB), exif=exif)
    assert np.array_equal(read_picture(path), np.rot90(RGB, -1))


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_what_cannot_be_read_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.png"
    if content is None:
        Image.fromarray(RGB).save(path)
        content = path.read_bytes()[:-300]
    path.write_bytes(content)
    with pytest.raises(
        SourceError, match=r"x.png: expected a picture that can be read, got \S"
    ) as e:
        read_picture(path)
    assert "\n" not in str(e.value)
    with pytest.raises(SourceError, match="no such file. Give the path"):
        read_picture(tmp_path / "gone.png")
