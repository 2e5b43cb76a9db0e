"""Reading anybody's picture: any size, any colour mode, turned as the camera meant it."""

import errno
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from cisdl_bench.errors import SourceError, cause
from cisdl_bench.records import Pixels

#: A grey picture of 16 bits whose brightest pixel is below this holds 8, 10, 12 or 14 bits.
_LEAST_16_BIT = 1 << 14
_MISSING = "no such file"
_ENDINGS = (".png", ".jpg", ".jpeg")


class LevelsError(ValueError):
    """A picture's numbers are of a range that cannot be told."""


def read_picture(path: Path, size: tuple[int, int] | None = None) -> Pixels:
    """Return a picture as uint8 RGB, (H, W, 3), at its own size.

    Grey becomes three equal channels, 16 bits a channel the upper eight, CMYK is converted; what
    is transparent lies on white.

    Args:
        path: File of the picture.
        size: Width and height that a list says the picture has; an EXIF rotation is applied
            unless the file has that size without it.

    Raises:
        SourceError: The file is missing, cut short, no picture that Pillow reads, or grey of 16
            bits that holds fewer.
    """
    with reading(path, "a picture"), Image.open(path) as opened:
        return _rgb(opened if opened.size == size else ImageOps.exif_transpose(opened) or opened)


def read_shape(path: Path, size: tuple[int, int] | None = None) -> tuple[int, int]:
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
    """Turn whatever opening and decoding a file raises into one line that fits the cause.

    Pillow's decoders raise far more than OSError: RuntimeError, NotImplementedError, MemoryError,
    struct.error and others.

    Args:
        path: File that is read.
        what: Noun for the expected content, such as ``a picture``.

    Raises:
        SourceError: The file cannot be opened or decoded.
    """
    _without_warnings()
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        got, then = _describe_cause(path, error)
        wanted = what if got == _MISSING else f"{what} that can be read"
        raise SourceError.expected(path, wanted, got, then) from error


def read_bytes(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        SourceError: The file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        then = "Complete the folder"
        raise SourceError.expected(path, "a file", _MISSING, then) from error
    except (OSError, ValueError) as error:
        raise SourceError.expected(path, "a file", f"'{cause(error)}'", "Check it") from error


@cache
def _without_warnings() -> None:
    """Silence Pillow's warnings of large pictures and of EXIF: what matters is refused."""
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _describe_cause(path: Path, error: Exception) -> tuple[str, str]:
    """Return what was found instead of a picture, and what to do."""
    text = (str(error).splitlines() or [""])[0].rstrip(". ") or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return _MISSING, "Give the path of a file that is there"
    if isinstance(error, IsADirectoryError):
        return "a folder", "Name a file"
    if isinstance(error, PermissionError):
        return "a file that may not be read", "Allow it to be read"
    if isinstance(error, OSError) and error.errno:  # of the file system, not of a decoder
        then = {errno.ENOSPC: "Free some space", errno.EIO: "Check the disk"}
        return f"'{error.strerror}'", then.get(error.errno, "Check the path")
    if isinstance(error, UnicodeEncodeError) or "null byte" in text or "null character" in text:
        return "a name that no file can have", "Correct the name"
    if isinstance(error, Image.DecompressionBombError):
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        return f"more than {most:,} pixels", "Make it smaller"
    if isinstance(error, MemoryError):
        return "one that memory does not suffice for", "It is damaged or too large: replace it"
    if isinstance(error, LevelsError):
        return text, "Save it with 8 bits a channel"
    if path.suffix.lower() not in _ENDINGS:
        return f"'{text}'", "Save it as PNG or JPEG"
    return f"'{text}'", "It is damaged, or no picture: replace it"


def _rgb(picture: Image.Image) -> Pixels:
    if picture.mode.startswith("I"):  # 16 or 32 bits of grey
        grey = np.asarray(picture).astype(np.int64)
        low, high = int(grey.min(initial=0)), int(grey.max(initial=0))
        if low < 0 or high > 0xFFFF or 0 < high < _LEAST_16_BIT:
            raise LevelsError(f"grey of 16 bits or more with levels {low:,} to {high:,}")
        return np.repeat((grey >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if picture.mode == "F":
        raise LevelsError("grey levels that are real numbers")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        picture = Image.alpha_composite(white, layer)
    return np.asarray(picture.convert("RGB"))
