"""Pairs as a list names them: files, labels, and what each is called."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cisdl_bench.errors import SourceError
from cisdl_bench.records import LISTED_KINDS, UNLABELLED, Mask


@dataclass(frozen=True)
class Boxes:
    """A true mask that a list gives as rectangles.

    Attributes:
        corners: Left, top, right and bottom of each rectangle in px of the picture's own size;
            right and bottom are the first columns and rows outside.
        where: Place in the list, for an error.
    """

    corners: tuple[tuple[int, int, int, int], ...]
    where: str

    def draw(self, shape: tuple[int, ...]) -> Mask:
        """Return the mask, bool (H, W); what reaches beyond the picture is cut off.

        Args:
            shape: Height and width of the picture.

        Raises:
            SourceError: A rectangle is empty or lies outside the picture.

        >>> Boxes(((1, 0, 3, 1),), "a.json").draw((2, 3)).astype(int).tolist()
        [[0, 1, 1], [0, 0, 0]]
        """
        mask = np.zeros(shape[:2], dtype=bool)
        for left, top, right, bottom in self.corners:
            if not (left < right and top < bottom):
                what = "boxes [x0, y0, x1, y1] with x0 < x1 and y0 < y1"
                box = [left, top, right, bottom]
                raise SourceError.expected(self.where, what, box, "Correct the box")
            if left >= shape[1] or top >= shape[0]:
                raise SourceError.expected(
                    self.where,
                    f"boxes in a picture of {shape[1]} x {shape[0]} px",
                    f"one that begins at {left}, {top}",
                    "Give that picture at its own size",
                )
            mask[top:bottom, left:right] = True
        return mask


@dataclass(frozen=True)
class ListedPair:
    """One row of a list; ``side`` is a place in ``records.SIDES``.

    Attributes:
        index: Number of the row, from 0.
        probe_name: Name of the probe in the list.
        donor_name: Name of the donor in the list.
        probe: File of the probe; None where no file of that name was found.
        donor: File of the donor; None where no file of that name was found.
        label: 1, 0 or ``UNLABELLED``.
        probe_mask: File or rectangles of the probe's mask; None where the list has none.
        donor_mask: File or rectangles of the donor's mask; None where the list has none.
        probe_size: Width and height of the probe in px; None where the list does not say them.
        donor_size: Width and height of the donor in px; None where the list does not say them.
    """

    index: int
    probe_name: str
    donor_name: str
    probe: Path | None
    donor: Path | None
    label: int = UNLABELLED
    probe_mask: Path | Boxes | None = None
    donor_mask: Path | Boxes | None = None
    probe_size: tuple[int, int] | None = None
    donor_size: tuple[int, int] | None = None

    @property
    def kind(self) -> str:
        """Return one of ``LISTED_KINDS``.

        >>> ListedPair(0, "a", "b", None, None, label=0).kind
        'negative'
        """
        return LISTED_KINDS[{1: 0, 0: 1}.get(self.label, 2)]

    @property
    def known(self) -> tuple[bool, bool]:
        """Return whether each mask's truth is known; both of a negative pair are empty."""
        if self.label == 0:
            return True, True
        return self.probe_mask is not None, self.donor_mask is not None

    @property
    def pictures(self) -> tuple[Path | None, Path | None]:
        """Return the files of both pictures, by side."""
        return self.probe, self.donor

    @property
    def masks(self) -> tuple[Path | Boxes | None, Path | Boxes | None]:
        """Return the files or rectangles of both masks, by side."""
        return self.probe_mask, self.donor_mask

    @property
    def sizes(self) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        """Return the width and height of both pictures, by side."""
        return self.probe_size, self.donor_size

    @property
    def files(self) -> list[Path]:
        """Return the files that the row names, pictures first."""
        return [path for path in (*self.pictures, *self.masks) if isinstance(path, Path)]


@dataclass(frozen=True)
class PairList:
    """A whole list, as an adapter reads it.

    Attributes:
        format: Name of the format, such as ``casia``.
        name: Name that results are filed under.
        path: File of the list, or folder of the data set.
        pairs: Rows of the list.
        whole: Number of pairs of the published list; 0 where that is not known.
        partial: Whether pairs whose pictures are missing may be left out without being asked.
        masks: Rule that says which pixels of a mask are tampered, of ``masks.RULES``.
        canvas: Rule that brings pictures and masks to the canvas, of ``canvas.RULES``.
        notes: Lines that a reader of results must know.
    """

    format: str
    name: str
    path: Path
    pairs: tuple[ListedPair, ...]
    whole: int = 0
    partial: bool = False
    masks: str = "white"
    canvas: str = "area"
    notes: tuple[str, ...] = ()


def parse_label(text: str, where: object) -> int:
    """Return the label that a cell says.

    Raises:
        SourceError: The cell holds no label.

    >>> parse_label("1", "a.csv"), parse_label("", "a.csv")
    (1, -1)
    """
    labels = {"1": 1, "0": 0, "": UNLABELLED, "y": 1, "n": 0}
    if text.lower() not in labels:
        raise SourceError.expected(where, "a label, 1 or 0", repr(text), "Correct the row")
    return labels[text.lower()]
