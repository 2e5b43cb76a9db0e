"""A donor's instance on the canvas, and the pictures that composites are made of."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from cisdl_bench.generation.draw import area_class
from cisdl_bench.generation.outline import Outline, find_outline
from cisdl_bench.generation.plan import Plan
from cisdl_bench.records import Pixels, Region


class Canvas(Protocol):
    """A source's pictures on the canvas by their position."""

    def has(self, position: int) -> bool:
        """Say whether the picture can be used."""
        ...

    def read(self, position: int) -> Pixels:
        """Return the picture, uint8 RGB (size, size, 3); valid until the next is read."""
        ...


class Instance(NamedTuple):
    """A donor's instance on the canvas.

    Attributes:
        region: Mask of the instance.
        outline: Hull and area of the mask.
        difficulty: Class of the area.
    """

    region: Region
    outline: Outline
    difficulty: str


def find_instance(
    plan: Plan, donor: int, annotation: int, classes: Mapping[str, tuple[float, float]]
) -> Instance | str:
    """Return an instance on the canvas, or the reason why it is refused.

    Args:
        plan: The set's candidates.
        donor: Position of the picture in the source's index.
        annotation: Position of the instance in the source's index.
        classes: Admissible classes of its area, shares of the canvas.
    """
    spec = plan.spec
    try:
        region = plan.source.region(annotation, donor, spec.size)
    except Exception:  # pycocotools raises exceptions of any class on outlines that it cannot draw
        return "instance cannot be drawn"
    if not region.bits.size:
        return "instance covers no pixel of the canvas"
    outline = find_outline(region)
    difficulty = area_class(outline.area_px, spec.size, classes, spec.closed)
    if difficulty is None:
        return "instance's area on the canvas is in no class of the set"
    return Instance(region, outline, difficulty)
