"""What happens to pictures on their way to a detector: robustness to post-processing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from cisdl_bench.errors import CisdlError
from cisdl_bench.records import Pixels
from cisdl_bench.seeding import stream


def jpeg(picture: Pixels, quality: float, _: str) -> Pixels:
    """Return the picture after JPEG of this quality, 1 to 100, Pillow's defaults."""
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=int(quality))
    return np.asarray(Image.open(buffer))


def blur(picture: Pixels, sigma: float, _: str) -> Pixels:
    """Return the picture under a Gaussian of this standard deviation in px."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), dtype=np.uint8)


def noise(picture: Pixels, sigma: float, key: str) -> Pixels:
    """Return the picture with Gaussian noise of this deviation in grey levels, keyed by the pair.

    Normal values by Box and Muller from uniform ones.
    """
    rng = stream(0, "noise", key)
    radius = np.sqrt(-2 * np.log1p(-rng.random(picture.shape)))
    normal = radius * np.cos(2 * np.pi * rng.random(picture.shape))
    noisy: Pixels = np.clip(np.rint(picture + sigma * normal), 0, 255).astype(np.uint8)
    return noisy


def resize(picture: Pixels, factor: float, _: str) -> Pixels:
    """Return the picture made smaller or larger by a factor, and back: Pillow's bicubic."""
    height, width = picture.shape[:2]
    small = max(1, round(width * factor)), max(1, round(height * factor))
    image = Image.fromarray(picture).resize(small, Image.Resampling.BICUBIC)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


Step = Callable[[Pixels, float, str], Pixels]
#: Name to what it does, and the smallest and largest strength that make sense.
STEPS: dict[str, tuple[Step, float, float]] = {
    "jpeg": (jpeg, 1, 100),
    "blur": (blur, 0.1, 50),
    "noise": (noise, 0, 255),
    "resize": (resize, 0.02, 8),
}


@dataclass(frozen=True)
class Perturbation:
    """Steps applied one after the other.

    Attributes:
        steps: Names and strengths of the steps; none leaves pictures as they are.
    """

    steps: tuple[tuple[str, float], ...] = ()

    @property
    def name(self) -> str:
        """Return how results are filed, such as ``jpeg-70`` or ``jpeg-70+blur-1.5``."""
        return "+".join(f"{step}-{strength:g}" for step, strength in self.steps)

    @classmethod
    def named(cls, name: str) -> "Perturbation":
        """Return the perturbation of a name.

        >>> Perturbation.named("jpeg-70+blur-1.5").steps
        (('jpeg', 70.0), ('blur', 1.5))
        """
        parts = [part.partition("-") for part in name.split("+") if part]
        return cls(tuple((step, float(strength)) for step, _, strength in parts))

    def apply(self, picture: Pixels, key: str) -> Pixels:
        """Return the picture, uint8 RGB (H, W, 3), after all steps."""
        for k, (step, strength) in enumerate(self.steps):
            picture = STEPS[step][0](picture, strength, f"{key}/{k}")
        return picture


def parse_perturbations(text: str) -> Sequence[Perturbation]:
    """Return what a list such as ``none,jpeg:70,jpeg:70+blur:1.5`` asks for, one run each.

    Raises:
        CisdlError: A step is unknown or its strength out of range.

    >>> [p.name for p in parse_perturbations("none,jpeg:70,jpeg:70+blur:1.5")]
    ['', 'jpeg-70', 'jpeg-70+blur-1.5']
    """
    return [
        Perturbation(() if part == "none" else tuple(_step(step) for step in part.split("+")))
        for part in text.split(",")
    ]


def _step(text: str) -> tuple[str, float]:
    name, _, value = text.partition(":")
    try:
        strength = float(value)
        _, low, high = STEPS[name]
        if not low <= strength <= high:
            raise ValueError
    except (KeyError, ValueError) as error:
        ranges = ", ".join(f"{step}:{low:g}-{high:g}" for step, (_, low, high) in STEPS.items())
        raise CisdlError.expected(
            f"--perturb {text}", f"a step and its strength ({ranges})", repr(text), "Write jpeg:70"
        ) from error
    return name, strength
