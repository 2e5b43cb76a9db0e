"""Pairs of pictures, wherever they come from: what detectors are scored on and learn from."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any, overload

import numpy as np

from cisdl_bench.pair_picture import draw_rows, encode
from cisdl_bench.records import SIDES, Mask, Pixels

_SHOWN = 6  # pairs of a set in a notebook


@dataclass(frozen=True, repr=False)
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
        name: Name of the set and number of the pair, such as ``rotation-easy/17``.
    """

    probe: Pixels
    donor: Pixels
    probe_mask: Mask
    donor_mask: Mask
    label: int
    kind: str
    numbers: dict[str, float | int | str]
    known: tuple[bool, bool] = (True, True)
    name: str = ""

    def __repr__(self) -> str:
        """Return a line: what pair it is, and how much of each picture the region covers."""
        shares = []
        masks = self.probe_mask, self.donor_mask
        for side, mask, known in zip(SIDES, masks, self.known, strict=True):
            shares.append(f"{mask.mean():.1%} of the {side}" if known else f"{side} not known")
        head = f"Pair {self.name}".rstrip()
        return f"<{head}: {self.kind}, {len(self.probe)} px, {', '.join(shares)}>"

    def show(self) -> Any:
        """Return a picture of the pair, probe left and donor right, the true regions outlined.

        Returns:
            ``PIL.Image.Image``, RGB; its ``show()`` opens a window, and a notebook displays it.
        """
        return draw_rows([self._row], len(self.probe))

    @property
    def _row(self) -> tuple[tuple[Pixels, Mask], ...]:
        return (self.probe, self.probe_mask), (self.donor, self.donor_mask)

    def _repr_png_(self) -> bytes:
        return encode(self.show(), "PNG")


@dataclass(frozen=True)
class Reference:
    """The truth that a predicted mask is compared with.

    Attributes:
        target: bool, (H, W), the tampered pixels.
        scored: bool, (H, W), the pixels that count.
    """

    target: Mask
    scored: Mask


class Pairs(ABC):
    """Pairs on a square canvas, wherever they come from: what detectors are scored on.

    A pair has a number, its place in the whole list; numbers of pairs that cannot be used are
    left out. Pairs pickle small, so that they can be sent to worker processes. A subclass says what
    is abstract here; the defaults fit pairs that lie on the canvas and whose masks are all known.

    Attributes:
        name: Name that results are filed under, such as ``rotation-difficult``.
        size: Side of the canvas in px.
        dtype: uint8, or float32 (0 to 255) where pictures are not rounded after resizing.
        indices: Numbers of the pairs that can be used, rising.
        fingerprint: Hash of the content, which changes whenever the content does.
        parameters: Columns that say what was done to the regions of generated pairs.
        left_out: Reasons by the numbers of pairs that cannot be used.
        partial: Whether pairs with missing pictures may be left out without being asked.
        stored: Whether the pairs are a set of shards already.
        own_files: Names of files that ``write_own_scores`` leaves beside a result.
    """

    name: str
    size: int
    indices: Sequence[int]
    fingerprint: str
    dtype: Any = np.uint8
    parameters: Sequence[str] = ()
    left_out: Mapping[int, str] = MappingProxyType({})
    partial: bool = False
    stored: bool = False
    own_files: tuple[str, ...] = ()

    @property
    @abstractmethod
    def origin(self) -> dict[str, Any]:
        """Where the pairs are and how they are opened, for going back from a result."""

    @abstractmethod
    def kind(self, index: int) -> str:
        """Return a pair's kind, of ``KINDS`` or of ``LISTED_KINDS``."""

    @abstractmethod
    def label(self, index: int) -> int:
        """Return a pair's label without reading its pictures."""

    @abstractmethod
    def read_into(
        self, index: int, probe: Any, donor: Any, probe_mask: Any, donor_mask: Any
    ) -> int:
        """Fill arrays with one pair; return its label.

        Args:
            index: The pair's number.
            probe: Array for the probe, uint8 or ``dtype``, (size, size, 3), RGB, contiguous.
            donor: Array for the donor, same shape and dtype as ``probe``.
            probe_mask: Array for the probe's mask, bool or uint8, (size, size), contiguous.
            donor_mask: Array for the donor's mask, same shape and dtype as ``probe_mask``.
        """

    @property
    def facts(self) -> dict[str, Any]:
        """What a result says of its data; ``notes`` are for its reader."""
        return {"notes": []}

    def __len__(self) -> int:
        """Return the number of pairs that can be used."""
        return len(self.indices)

    @overload
    def __getitem__(self, place: int) -> Pair: ...

    @overload
    def __getitem__(self, place: slice) -> "Pairs": ...

    def __getitem__(self, place: int | slice) -> "Pair | Pairs":
        """Return the pair at a place, or the pairs of a slice, which are read when they are used.

        Places run from 0 without gaps; ``pair`` returns the pair of a number.
        """
        if isinstance(place, slice):
            places = range(len(self))[place]
            return self if places == range(len(self)) else PairSlice(self, places)
        return self.pair(self.indices[place])

    def __iter__(self) -> Iterator[Pair]:
        """Yield every pair in order."""
        return (self.pair(index) for index in self.indices)

    def __repr__(self) -> str:
        """Return a line: name, number of pairs, canvas, the beginning of the fingerprint."""
        head = f"{type(self).__name__} {self.name}: {len(self):,} pairs of {self.size} px"
        return f"<{head}, fingerprint {self.fingerprint[:12]}>"

    def _repr_html_(self) -> str:
        """Return a sheet of the first pairs, for notebooks."""
        from base64 import b64encode

        shown = [self[place] for place in range(min(_SHOWN, len(self)))]
        if not shown:
            return f"<p>{escape(repr(self))}</p>"
        sheet = draw_rows([pair._row for pair in shown], 128, columns=3)
        data = b64encode(encode(sheet, "JPEG")).decode()
        size = f'width="{sheet.width}" height="{sheet.height}"'
        picture = f'<img alt="its first pairs" {size} src="data:image/jpeg;base64,{data}">'
        return f"<p>{escape(repr(self))}</p>{picture}"

    def pair(self, index: int) -> Pair:
        """Return the pair of a number, its pictures as uint8."""
        return read_pair(self, index)

    def known(self, index: int) -> tuple[bool, bool]:
        """Return whether the truth of the probe's and of the donor's mask is known."""
        return True, True

    def about(self, index: int) -> dict[str, float | int | str]:
        """Return ids, names, areas and parameters of a pair by column, as far as it has them."""
        return {}

    def picture_numbers(self, index: int) -> tuple[int, int]:
        """Return the numbers of a pair's probe and donor; pairs may share a picture."""
        place = self.indices.index(index)
        return 2 * place, 2 * place + 1

    def picture(self, number: int) -> Pixels:
        """Return a picture on the canvas, uint8 (size, size, 3), by its number."""
        pair = self[number // 2]
        return pair.donor if number % 2 else pair.probe

    def masks(self, index: int) -> tuple[Mask, Mask]:
        """Return both masks on the canvas, bool (size, size); unknown ones are empty."""
        pair = self.pair(index)
        return pair.probe_mask, pair.donor_mask

    def own_shape(self, index: int, side: int) -> tuple[int, int] | None:
        """Return the height and width of a picture as in its file; None where nothing says them.

        Args:
            index: The pair's number.
            side: Place in ``SIDES``: 0 is the probe, 1 the donor.
        """
        return self.size, self.size

    def predicted_shapes(self, index: int, side: int) -> list[tuple[int, int]]:
        """Return the shapes that a predicted mask may have, the picture's own first; [] is any."""
        own, canvas = self.own_shape(index, side), (self.size, self.size)
        return [] if own is None else list(dict.fromkeys((own, canvas)))

    def reference(
        self, index: int, side: int, shape: tuple[int, int], zones: tuple[int, int] = (0, 0)
    ) -> Reference | None:
        """Return what a predicted mask is compared with; None where the truth is not known.

        Args:
            index: The pair's number.
            side: Place in ``SIDES``: 0 is the probe, 1 the donor.
            shape: Height and width of the predicted mask, one of ``predicted_shapes``.
            zones: Sides in px of the boxes that erode and dilate a region, for data sets that do
                not score the band between; others score every pixel.
        """
        if not self.known(index)[side]:
            return None
        return Reference(self.masks(index)[side], np.ones(shape, dtype=bool))

    def without_missing(self, indices: Sequence[int], reason: str) -> "Pairs":
        """Return the pairs without those of some numbers whose pictures are missing.

        Args:
            indices: Numbers of pairs that may be left out.
            reason: Why they are left out.
        """
        return self

    def write_own_scores(self, predictions: Any, folder: Path, options: Any) -> str:
        """Write the numbers of a data set's own scorer beside a result; return a line about them.

        By default there is no such scorer, and the line is empty.

        Args:
            predictions: The predictions that were scored, ``adapters.predictions.Predictions``.
            folder: Folder of the result.
            options: Options of the scoring run: ``workers`` and ``zones`` are used.
        """
        return ""


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
        f"{pairs.name}/{index}",
    )


class PairSlice(Pairs):
    """Some pairs of a set or list, read when they are used.

    They keep their numbers, so that a detector sees pair 17 of a slice as it sees pair 17 of all.

    Args:
        pairs: Pairs that are sliced.
        places: Places of the chosen pairs among them.
    """

    def __init__(self, pairs: Pairs, places: range) -> None:
        if isinstance(pairs, PairSlice):
            first = pairs.places.start + pairs.places.step * places.start
            step = pairs.places.step * places.step
            pairs, places = pairs.whole, range(first, first + step * len(places), step)
        self.whole: Pairs = pairs
        self.places: range = places
        self.name, self.size, self.dtype = pairs.name, pairs.size, pairs.dtype
        self.parameters = pairs.parameters
        numbers = pairs.indices
        self.indices = [numbers[place] for place in places]
        rule = f"{pairs.fingerprint} {places.start}:{places.stop}:{places.step}"
        self.fingerprint = sha256(rule.encode()).hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        return PairSlice, (self.whole, self.places)

    @property
    def origin(self) -> dict[str, Any]:
        """Where the whole is, and the slice of it."""
        places = self.places
        return {**self.whole.origin, "slice": [places.start, places.stop, places.step]}

    @property
    def facts(self) -> dict[str, Any]:
        """What the whole says, and that these are a part of it."""
        facts = self.whole.facts
        note = f"limited to {len(self):,} of {len(self.whole):,} pairs"
        return {"whole": len(self.whole), **facts, "notes": [*facts["notes"], note]}

    def kind(self, index: int) -> str:
        """Return the kind of the pair of a number."""
        return self.whole.kind(index)

    def label(self, index: int) -> int:
        """Return the label of the pair of a number."""
        return self.whole.label(index)

    def known(self, index: int) -> tuple[bool, bool]:
        """Return whether the truth of each mask is known."""
        return self.whole.known(index)

    def about(self, index: int) -> dict[str, float | int | str]:
        """Return ids, names, areas and parameters of the pair of a number."""
        return self.whole.about(index)

    def read_into(
        self, index: int, probe: Any, donor: Any, probe_mask: Any, donor_mask: Any
    ) -> int:
        """Fill arrays with the pair of a number; return its label; see ``Pairs``."""
        return self.whole.read_into(index, probe, donor, probe_mask, donor_mask)

    def picture_numbers(self, index: int) -> tuple[int, int]:
        """Return the numbers of a pair's pictures among those of the whole."""
        return self.whole.picture_numbers(index)

    def picture(self, number: int) -> Pixels:
        """Return a picture by its number among those of the whole."""
        return self.whole.picture(number)

    def masks(self, index: int) -> tuple[Mask, Mask]:
        """Return both masks of the pair of a number."""
        return self.whole.masks(index)

    def own_shape(self, index: int, side: int) -> tuple[int, int] | None:
        """Return the height and width of a picture as in its file."""
        return self.whole.own_shape(index, side)

    def predicted_shapes(self, index: int, side: int) -> list[tuple[int, int]]:
        """Return the shapes that a predicted mask may have."""
        return self.whole.predicted_shapes(index, side)

    def reference(
        self, index: int, side: int, shape: tuple[int, int], zones: tuple[int, int] = (0, 0)
    ) -> Reference | None:
        """Return what a predicted mask is compared with."""
        return self.whole.reference(index, side, shape, zones)
