"""What a composite is made of, and the words for pairs: shared by all packages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

KINDS = ("foreground", "background", "negative")
#: Kinds of pairs of other people's lists, by their label: 1, 0, and none.
LISTED_KINDS = ("positive", "negative", "unlabelled")
DIFFICULTIES = ("difficult", "normal", "easy")
#: Other words for difficulties: of users, of the DMAC authors' lists, of their training lists.
DIFFICULTY_WORDS = {
    "hard": "difficult",
    "diff": "difficult",
    "norm": "normal",
    "medi": "normal",
    "medium": "normal",
}
#: The label of an unlabelled pair.
UNLABELLED = -1
#: The two pictures of a pair; a ``side`` is a place here.
SIDES = ("probe", "donor")

_OF_PAIRS = [
    "index",
    "kind",
    "label",
    "difficulty",
    "opaque",
    "start",
    "moved_px",
    "own_score",
    "consistency",
    "donor_id",
    "background_id",
    "annotation_id",
    "probe_known",
    "donor_known",
    "probe",
    "donor",
]
_OF_SIDES = ["area_px", "inside", "qes", "tp", "fp", "fn", "tn", "top", "left", "height", "width"]
#: Columns that shards and ``pairs.csv`` have beside a set's parameters.
FIXED_COLUMNS = frozenset(
    [*_OF_PAIRS, *(f"{s}_{name}" for s in ("probe", "donor", "patch") for name in _OF_SIDES)]
)

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
        box: Bounding box of the mask on the canvas.
        bits: Pixels of the mask in its box, bool, (box.height, box.width).
    """

    box: Box
    bits: Mask

    def on_canvas(self, size: int) -> Mask:
        """Return the whole mask, bool, shape (size, size)."""
        mask = np.zeros((size, size), dtype=bool)
        mask[self.box.slices] = self.bits
        return mask


def cut_region(mask: Pixels, origin: tuple[int, int] = (0, 0)) -> Region:
    """Return a mask cut to its bounding box; an empty mask gives an empty box.

    Args:
        mask: uint8, shape (H, W); not 0 is inside.
        origin: Row and column of the mask's first pixel on the canvas.

    >>> cut_region(np.eye(5, dtype=np.uint8)[1:3], origin=(1, 0)).box
    Box(top=1, left=1, height=2, width=2)
    """
    left, top, width, height = cv2.boundingRect(mask)
    bits = mask[top : top + height, left : left + width] != 0
    return Region(Box(top + origin[0], left + origin[1], height, width), bits)


@dataclass(frozen=True)
class Composite:
    """A donor's region pasted into a background, without the background's own pixels.

    Attributes:
        index: Number among the set's candidates; part of the composite's random key.
        donor_id: The donor picture's id in the source.
        background_id: The background picture's id in the source.
        annotation_id: The pasted instance's id in the source.
        difficulty: One of ``DIFFICULTIES``.
        parameters: Values of the set's parameters by column, in the order of its transformations.
        donor_mask: m_D, where the region lies in the donor.
        probe_mask: m_P, where it lies in the composite.
        patch_box: Box of ``patch`` in the composite.
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


def difficulty_of(word: str) -> str:
    """Return the difficulty that a word means; empty where it means none.

    >>> difficulty_of("medi"), difficulty_of("easy"), difficulty_of("rotation")
    ('normal', 'easy', '')
    """
    return word if word in DIFFICULTIES else DIFFICULTY_WORDS.get(word, "")


def set_name(name: str) -> str:
    """Return the folder's name of a set that a user calls by another word for its difficulty.

    >>> set_name("rotation-hard"), set_name("release/raw-medi"), set_name("mine-hardly")
    ('rotation-difficult', 'release-raw-normal', 'mine-hardly')
    """
    stem, hyphen, word = name.replace("/", "-").rpartition("-")
    return f"{stem}{hyphen}{(difficulty_of(word) if hyphen else '') or word}"


def set_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of sets with the folders' names that they may stand for; see ``set_name``.

    >>> set_names(["rotation-medi", "scale"])
    ('rotation-medi', 'rotation-normal', 'scale')
    """
    return tuple(dict.fromkeys(word for name in names for word in (name, set_name(name))))


def kind_label(kind: str) -> int:
    """Return a kind's label: 0 for negative, 1 for the other two.

    >>> [kind_label(kind) for kind in KINDS]
    [1, 1, 0]
    """
    return int(kind != "negative")


def count_pairs(composites: int, kinds: Sequence[str]) -> int:
    """Return how many pairs so many composites give.

    >>> count_pairs(345_085, KINDS)
    1035255
    """
    return composites * len(kinds)
