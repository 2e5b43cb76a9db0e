from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.transform import resize as skimage_resize

from cisdl_bench.sources.picture import PictureError, load_picture

SIZE = (120, 90)


@pytest.fixture
def pixels() -> np.ndarray:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize(SIZE, Image.Resampling.BICUBIC))


def test_resizes_as_an_anti_aliased_library_does(tmp_path: Path, pixels: np.ndarray) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    for name, order in (("bicubic", 3), ("area", 1)):
        ours = load_picture(path, SIZE, 32, name).astype(float)
        theirs = skimage_resize(pixels, (32, 32), order=order, anti_aliasing=True) * 255
        assert ours.shape == (32, 32, 3)
        assert np.abs(ours - theirs).mean() < 6  # another filter of the same width
    block = Image.fromarray(pixels).reduce((4, 3))
    assert np.abs(load_picture(path, SIZE, 30, "area") - np.asarray(block).astype(int)).max() <= 1


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "RGBA", "I;16"])
def test_what_is_not_rgb_is_refused_with_its_mode(tmp_path: Path, pixels, mode: str) -> None:
    picture = Image.fromarray(pixels)
    picture = picture.convert("L").convert(mode) if mode == "I;16" else picture.convert(mode)
    path = tmp_path / ("a.jpg" if mode in ("L", "CMYK") else "a.png")
    picture.save(path)
    with pytest.raises(PictureError, match=f"not RGB \\({mode}\\)"):
        load_picture(path, SIZE, 32, "bicubic")


def test_broken_files_are_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    path = tmp_path / "a.jpg"
    with pytest.raises(PictureError, match="file missing"):
        load_picture(path, SIZE, 32, "bicubic")
    Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PictureError, match="cut short"):
        load_picture(path, SIZE, 32, "bicubic")
    for junk in (b"", b"not a picture", whole[:20]):
        path.write_bytes(junk)
        with pytest.raises(PictureError, match="cannot be decoded|cut short"):
            load_picture(path, SIZE, 32, "bicubic")
    path.write_bytes(whole)
    with pytest.raises(PictureError, match="another size than its annotations say"):
        load_picture(path, (120, 91), 32, "bicubic")


def test_an_exif_rotation_is_applied_only_where_the_annotations_want_it(tmp_path, pixels) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    lying = load_picture(path, SIZE, 90, "bicubic")
    upright = load_picture(path, SIZE[::-1], 90, "bicubic")
    assert np.abs(np.rot90(lying, -1).astype(int) - upright).max() <= 1
