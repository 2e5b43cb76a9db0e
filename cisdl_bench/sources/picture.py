"""Decoding one photograph and resizing it to the canvas."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cisdl_bench.records import Pixels

_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "area": Image.Resampling.BOX}


class PictureError(Exception):
    """A picture that is skipped; the message is the reason it is counted under."""


def load_picture(path: Path, expected_size: tuple[int, int], size: int, resize: str) -> Pixels:
    """Return a photograph on the canvas, uint8 RGB, shape (size, size, 3).

    Pillow's resampling is anti-aliased and in fixed point. The annotation's width and height
    decide whether an EXIF rotation is applied: only where the picture agrees with them after it
    and not before.

    Args:
        path: A picture file of any format that Pillow reads.
        expected_size: (width, height) in px as the annotations have it.
        size: Side of the canvas in px.
        resize: ``bicubic`` or ``area``.

    Raises:
        PictureError: The file is missing, broken or cut short, is not RGB, or has another size
            than its annotations say.
    """
    try:
        # A warning of a library is no message for a user: the file's size is checked here.
        with warnings.catch_warnings(action="ignore"), Image.open(path) as opened:
            picture: Image.Image = opened
            if picture.mode != "RGB":
                raise PictureError(f"not RGB ({picture.mode})")
            if picture.size != expected_size:
                turned = ImageOps.exif_transpose(picture)
                if turned is None or turned.size != expected_size:
                    raise PictureError("another size than its annotations say")
                picture = turned
            return np.asarray(picture.resize((size, size), _FILTERS[resize]))
    except FileNotFoundError:
        raise PictureError("file missing") from None
    except PictureError:
        raise
    except PermissionError as error:
        raise PictureError("may not be read") from error
    except Exception as error:  # decoders raise exceptions of any class on damaged files
        reason = "cut short" if "truncated" in str(error) else "cannot be decoded"
        raise PictureError(reason) from error
