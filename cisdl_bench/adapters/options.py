"""What a user chooses about lists of other people's pairs."""

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class ListOptions:
    """How lists of other people's pairs are read.

    Attributes:
        images: Folder of the pictures; None is where the format has them.
        reference: NIST's reference; None is where its layout has it.
        size: Side of the canvas in px.
        skip_unusable: Whether pairs are left out whose files are missing or cannot be read.
        labelled: Whether labels and true masks are read; False reads an index of NIST's alone.
        part: Part of a data set that is read, of its format's ``parts``; empty: all of it.
        pictures: Whether pictures are needed. Where predictions are scored, none need be there,
            and no pair is left out for one.
    """

    images: Path | None = None
    reference: Path | None = None
    size: int = 256
    skip_unusable: bool = False
    labelled: bool = True
    pictures: bool = True
    part: str = ""

    def absolute(self) -> "ListOptions":
        """Return the options with absolute paths: workers may run in another folder."""
        images, reference = (path and path.absolute() for path in (self.images, self.reference))
        return replace(self, images=images, reference=reference)
