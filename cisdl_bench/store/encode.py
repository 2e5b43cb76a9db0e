"""Pictures and masks of exports as the bytes of image files."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1)


def encode_png(picture: npt.NDArray[Any]) -> bytes:
    """Return the PNG file of a picture, uint8 RGB (H, W, 3), or of a mask, bool (H, W).

    A mask is grey of 8 bits, 255 where it is True.
    """
    grey = picture.dtype == bool
    pixels = picture.view(np.uint8) * np.uint8(255) if grey else picture[..., ::-1]
    return bytes(cv2.imencode(".png", np.ascontiguousarray(pixels), _PNG)[1])


def encode_jpeg(picture: npt.NDArray[Any], quality: int) -> bytes:
    """Return the JPEG file of a picture, uint8 RGB (H, W, 3), with colours at half resolution.

    Args:
        picture: The picture.
        quality: Quality, 1 to 100, as libjpeg takes it.
    """
    pixels = np.ascontiguousarray(picture[..., ::-1])
    return bytes(cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))[1])
