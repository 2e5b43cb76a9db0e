"""Reading anybody's picture: any size, any colour mode, turned as the camera meant it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from cisdl_bench.errors import SourceError
from cisdl_bench.records import Pixels


def read_picture(path: Path, size: tuple[int, int] | None = None) -> Pixels:
    """Return a picture as uint8 RGB, (H, W, 3), at its own size.

    Grey becomes three equal channels, 16 bits a channel the upper eight, CMYK is converted; what
    is transparent lies on white.

    Args:
        path: The picture's file.
        size: Width and height that a list says the picture has; an EXIF rotation is applied
            unless the file has that size without it.

    Raises:
        SourceError: The file is missing, cut short, or no picture that Pillow reads.
    """
    with reading(path, "a picture"), Image.open(path) as opened:
        return _rgb(opened if opened.size == size else ImageOps.exif_transpose(opened) or opened)


def shape_of(path: Path, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """Return the height and width that ``read_picture`` gives, without decoding the picture.

    Raises:
        SourceError: The file is missing, or no picture that Pillow reads.
    """
    with reading(path, "a picture"), Image.open(path) as opened:
        width, height = opened.size
        aside = opened.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
        return (width, height) if aside and opened.size != size else (height, width)


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn what Pillow raises into one line.

    Raises:
        SourceError: The file is missing, cut short, or no picture that Pillow reads.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError.expected(
            path, what, "no such file", "Give the path of a picture"
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SourceError.expected(
            path, f"{what} that can be read", str(error).splitlines()[0], "Save it as PNG or JPEG"
        ) from error


def _rgb(picture: Image.Image) -> Pixels:
    if picture.mode.startswith("I"):  # 16 or 32 bits of grey
        grey = np.asarray(picture).astype(np.int64)
        eight = np.clip(grey >> 8, 0, 255).astype(np.uint8)
        return np.repeat(eight[..., None], 3, axis=2)
    if picture.mode == "F":
        raise ValueError("grey levels that are real numbers")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        picture = Image.alpha_composite(white, layer)
    return np.asarray(picture.convert("RGB"))
