"""Reading anybody's picture: any size, any colour mode, turned as the camera meant it."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cisdl_bench.errors import SourceError
from cisdl_bench.records import Pixels


def read_picture(path: Path) -> Pixels:
    """Return a picture as uint8 RGB, (H, W, 3), at its own size.

    An EXIF rotation is applied. Grey becomes three equal channels, 16 bits a channel the upper
    eight, CMYK is converted; what is transparent lies on white.

    Raises:
        SourceError: The file is missing, cut short, or no picture that Pillow reads.
    """
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened) or opened
            return _rgb(picture)
    except FileNotFoundError as error:
        raise SourceError.expected(
            path, "a picture", "no such file", "Give the path of a picture"
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SourceError.expected(
            path, "a picture that can be read", str(error).splitlines()[0], "Save it as PNG or JPEG"
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
