"""``jpeg``: the composite is saved as JPEG, as a forger's editor does; saving and reading again."""

from dataclasses import dataclass
from io import BytesIO
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta
from PIL import Image

from cisdl_bench.records import Pixels
from cisdl_bench.transforms.base import Parameter, Transformation
from cisdl_bench.transforms.matrix import Floats

Quality = Annotated[int, Meta(ge=1, le=100)]


@dataclass(frozen=True)
class Jpeg(Transformation):
    """The whole composite at one of some qualities, the donor untouched.

    Attributes:
        qualities: Pillow's qualities, 1 to 100, each drawn as often as the others.
    """

    name: ClassVar[str] = "jpeg"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("jpeg_quality", 0.0, 0.0, 100.0, "JPEG quality", "JPEG quality {:.0f}"),
    )
    numbers: ClassVar[int] = 1

    qualities: Annotated[tuple[Quality, ...], Meta(min_length=1)]

    def sample(self, u: Floats, size: int) -> Floats:
        """Return the quality, float64 (1, ...).

        >>> Jpeg(1.0, (50, 90)).sample(np.array([[0.4, 0.6]]), 256).tolist()
        [[50.0, 90.0]]
        """
        qualities = np.array(self.qualities, dtype=np.float64)
        return np.asarray(qualities[(u * len(qualities)).astype(int)])

    def finish(self, picture: Pixels, values: tuple[float, ...]) -> Pixels:
        """Return the composite after it was saved and read again."""
        return saved_as_jpeg(picture, round(values[0])) if values[0] else picture


def saved_as_jpeg(picture: Pixels, quality: int) -> Pixels:
    """Return a picture, uint8 RGB, after it was saved as JPEG and read again."""
    memory = BytesIO()
    Image.fromarray(picture).save(memory, "jpeg", quality=quality)
    with Image.open(memory) as read:
        return np.asarray(read)
