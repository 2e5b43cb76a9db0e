"""What a composite and a pair are made of: the records every other package passes around."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt

KINDS = ("foreground", "background", "negative")
#: Of pairs that others listed, by their label: 1, 0, and none.
LISTED_KINDS = ("positive", "negative", "unlabelled")
DIFFICULTIES = ("difficult", "normal", "easy")
#: The label of a pair of which nobody says whether it shares a region.
UNLABELLED = -1

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


class Box(NamedTuple):
    """A rectangle of the canvas in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Return the rows and columns that the box covers.

        >>> Box(2, 3, 4, 5).slices
        (slice(2, 6, None), slice(3, 8, None))
        """
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )


class Region(NamedTuple):
    """A mask cut to its bounding box.

    Attributes:
        box: Where the bits lie on the canvas.
        bits: bool, shape (box.height, box.width).
    """

    box: Box
    bits: Mask

    def on_canvas(self, size: int) -> Mask:
        """Return the whole mask, bool, shape (size, size)."""
        mask = np.zeros((size, size), dtype=bool)
        mask[self.box.slices] = self.bits
        return mask


def region_of(mask: Pixels, origin: tuple[int, int] = (0, 0)) -> Region:
    """Return a mask cut to its bounding box; an empty mask gives an empty box.

    Args:
        mask: uint8, shape (H, W); not 0 is inside.
        origin: Row and column of the mask's first pixel on the canvas.

    >>> region_of(np.eye(5, dtype=np.uint8)[1:3], origin=(1, 0)).box
    Box(top=1, left=1, height=2, width=2)
    """
    left, top, width, height = cv2.boundingRect(mask)
    bits = mask[top : top + height, left : left + width] != 0
    return Region(Box(top + origin[0], left + origin[1], height, width), bits)


@dataclass(frozen=True)
class Composite:
    """A donor's region pasted into a background, without the background's own pixels.

    Attributes:
        index: Its number among the set's candidates; part of its random key.
        donor_id: The donor picture's id in the source.
        background_id: The background picture's id in the source.
        annotation_id: The pasted instance's id in the source.
        difficulty: One of ``DIFFICULTIES``.
        parameters: Values of the set's parameters by column, in the order of its transformations.
        donor_mask: m_D, where the region lies in the donor.
        probe_mask: m_P, where it lies in the composite.
        patch_box: Where ``patch`` lies in the composite.
        patch: uint8 RGB, shape (patch_box.height, patch_box.width, 3), 0 outside the mask.
        opaque: True where the patch replaces every pixel of its box, not the mask's alone.
    """

    index: int
    donor_id: int
    background_id: int
    annotation_id: int
    difficulty: str
    parameters: dict[str, float]
    donor_mask: Region
    probe_mask: Region
    patch_box: Box
    patch: Pixels
    opaque: bool = False

    def paste_into(self, background: Pixels) -> None:
        """Turn a background, uint8 RGB (size, size, 3), into the composite, in place."""
        target = background[self.patch_box.slices]
        if self.opaque:
            target[:] = self.patch
        else:
            np.copyto(target, self.patch, where=self.probe_mask.bits[..., None])


@dataclass(frozen=True)
class Pair:
    """Two pictures and where each holds the region that they share.

    Attributes:
        probe: uint8 RGB, shape (size, size, 3); the composite, or the background of a negative.
        donor: uint8 RGB, shape (size, size, 3).
        probe_mask: bool, shape (size, size).
        donor_mask: bool, shape (size, size).
        label: 1 where the pictures share a region, 0 where they do not, or ``UNLABELLED``.
        kind: One of ``KINDS`` where it was generated, else one of ``LISTED_KINDS``.
        numbers: The composite's ids, areas and parameters by column name.
        known: Whether the masks are the truth; an unknown one is empty here.
    """

    probe: Pixels
    donor: Pixels
    probe_mask: Mask
    donor_mask: Mask
    label: int
    kind: str
    numbers: dict[str, float | int | str]
    known: tuple[bool, bool] = (True, True)


class Pairs(Protocol):
    """Pairs on a square canvas, wherever they come from: what detectors are scored on.

    A pair has a number, its place in the whole list; numbers of pairs that cannot be used are
    left out. Pairs pickle small, so that they can be sent to worker processes.
    """

    @property
    def name(self) -> str:
        """What results are filed under, such as ``rotation-difficult``."""
        ...

    @property
    def size(self) -> int:
        """Side of the canvas in px."""
        ...

    @property
    def dtype(self) -> Any:
        """uint8, or float32 (0 to 255) where pictures are not rounded after resizing."""
        ...

    @property
    def parameters(self) -> Sequence[str]:
        """Columns of what was done to the regions of generated pairs; none of others."""
        ...

    @property
    def indices(self) -> Sequence[int]:
        """The pairs' numbers, rising."""
        ...

    @property
    def left_out(self) -> Mapping[int, str]:
        """Numbers of pairs of the whole list that cannot be used, and why."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever the content does."""
        ...

    @property
    def origin(self) -> dict[str, Any]:
        """Where the pairs are and how they are opened, for going back from a result."""
        ...

    @property
    def facts(self) -> dict[str, Any]:
        """What a result says of its data, under ``notes`` what its reader must know."""
        ...

    def __len__(self) -> int:
        """Return how many pairs there are."""
        ...

    def __getitem__(self, index: int, /) -> Pair:
        """Return the pair of a number."""
        ...

    def __iter__(self) -> Iterator[Pair]:
        """Yield every pair in order."""
        ...

    def kind(self, index: int) -> str:
        """Return a pair's kind."""
        ...

    def label(self, index: int) -> int:
        """Return a pair's label without reading its pictures."""
        ...

    def known(self, index: int) -> tuple[bool, bool]:
        """Return whether the truth of the probe's and of the donor's mask is known."""
        ...

    def about(self, index: int) -> dict[str, float | int | str]:
        """Return ids, names, areas and parameters of a pair by column, as far as it has them."""
        ...

    def read_into(
        self, index: int, probe: Any, donor: Any, probe_mask: Any, donor_mask: Any
    ) -> int:
        """Fill arrays with one pair; return its label.

        Args:
            index: The pair's number.
            probe: uint8 or ``dtype``, (size, size, 3), RGB, contiguous.
            donor: The same.
            probe_mask: bool or uint8, (size, size), contiguous.
            donor_mask: The same.
        """
        ...


def read_pair(pairs: Pairs, index: int) -> Pair:
    """Return one pair of a number, its pictures as uint8."""
    shape = (pairs.size, pairs.size)
    probe, donor = (np.empty((*shape, 3), dtype=np.uint8) for _ in range(2))
    masks = np.empty((2, *shape), dtype=bool)
    label = pairs.read_into(index, probe, donor, masks[0], masks[1])
    return Pair(
        probe,
        donor,
        masks[0],
        masks[1],
        label,
        pairs.kind(index),
        pairs.about(index),
        pairs.known(index),
    )


def label_of(kind: str) -> int:
    """Return a kind's label: 0 for negative, 1 for the other two.

    >>> [label_of(kind) for kind in KINDS]
    [1, 1, 0]
    """
    return int(kind != "negative")


def pairs_of(composites: int, kinds: Sequence[str]) -> int:
    """Return how many pairs so many composites give.

    >>> pairs_of(345_085, KINDS)
    1035255
    """
    return composites * len(kinds)
