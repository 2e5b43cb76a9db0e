"""Pairs as a list names them: files, labels, and what each is called."""

from dataclasses import dataclass
from pathlib import Path

from cisdl_bench.errors import SourceError
from cisdl_bench.records import LISTED_KINDS, UNLABELLED


@dataclass(frozen=True)
class ListedPair:
    """One row of a list.

    Attributes:
        index: Its number among the rows, from 0.
        probe_name: What the list calls the probe.
        donor_name: What it calls the donor.
        probe: The probe's file; None where no file of that name was found.
        donor: The donor's.
        label: 1, 0 or ``UNLABELLED``.
        probe_mask: The file of the probe's mask; None where the list has none.
        donor_mask: The donor's.
        probe_size: Width and height of the probe in px, where the list says them.
        donor_size: The donor's.
    """

    index: int
    probe_name: str
    donor_name: str
    probe: Path | None
    donor: Path | None
    label: int = UNLABELLED
    probe_mask: Path | None = None
    donor_mask: Path | None = None
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
    def files(self) -> list[Path]:
        """Return the files that there are."""
        named = (self.probe, self.donor, self.probe_mask, self.donor_mask)
        return [path for path in named if path is not None]


@dataclass(frozen=True)
class PairList:
    """A whole list, as an adapter reads it.

    Attributes:
        format: ``plain``, ``release``, ``casia`` or ``mfc``.
        name: What results are filed under.
        path: The list's file.
        pairs: Its rows.
        whole: How many pairs the published list has; 0 where nothing is known of that.
        partial: Whether pairs whose pictures are missing may be left out without being asked.
        masks: Which pixels of a mask are tampered, of ``masks.RULES``.
        canvas: How pictures and masks come to the canvas, of ``canvas.RULES``.
        notes: What a reader of results must know.
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


def label_of(text: str, where: object) -> int:
    """Return the label that a cell says.

    Raises:
        SourceError: It is none.

    >>> label_of("1", "a.csv"), label_of("", "a.csv")
    (1, -1)
    """
    labels = {"1": 1, "0": 0, "": UNLABELLED, "y": 1, "n": 0}
    if text.lower() not in labels:
        raise SourceError.expected(where, "a label, 1 or 0", repr(text), "Correct the row")
    return labels[text.lower()]
