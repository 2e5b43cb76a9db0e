"""A list's pairs on a canvas, read from their files as they are asked for."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cisdl_bench.adapters.canvas import RULES
from cisdl_bench.adapters.files import digests_of, fingerprint_of
from cisdl_bench.adapters.find import read_list
from cisdl_bench.adapters.listed import ListedPair, PairList
from cisdl_bench.adapters.masks import LITERAL, read_levels, read_mask
from cisdl_bench.adapters.picture import read_picture, shape_of
from cisdl_bench.adapters.usable import (
    contradictions,
    kind_of,
    unknown_masks,
    unnamed_pairs,
    unusable_pairs,
)
from cisdl_bench.errors import SourceError
from cisdl_bench.progress import Progress
from cisdl_bench.records import Mask, Pair, Pixels, read_pair

_KEPT = 16  # pictures on the canvas, in each process


@dataclass(frozen=True)
class Opening:
    """How a list is read.

    Attributes:
        path: The list.
        images: Where its pictures lie; None is where its format has them.
        reference: NIST's reference; None is where its layout has it.
        size: Side of the canvas in px.
        labelled: False reads an index of NIST's alone.
        pictures: False where nothing will look at them, as where predictions are scored: none need
            be there, and no pair is left out for one.
    """

    path: Path
    images: Path | None = None
    reference: Path | None = None
    size: int = 256
    labelled: bool = True
    pictures: bool = True

    def absolute(self) -> "Opening":
        """Return the same with absolute paths: workers may have been started elsewhere."""
        images, reference = (path and path.absolute() for path in (self.images, self.reference))
        return replace(self, path=self.path.absolute(), images=images, reference=reference)

    def read(self) -> PairList:
        """Return the list."""
        return read_list(
            self.path,
            self.images,
            self.reference,
            labelled=self.labelled,
            pictures=self.pictures,
        )


def open_list(
    opening: Opening, progress: Progress, *, skip_unusable: bool = False
) -> "ListedPairs":
    """Return a list's pairs after a look at all of its files.

    Args:
        opening: Which list.
        progress: Hears how it goes on.
        skip_unusable: Leave out pairs with a missing file, a picture or a mask that cannot be
            read, a mask of another size, or a label that contradicts, for which all files are
            decoded. Else a missing file and a contradiction are refused, but for paired CASIA's
            pictures. Without ``opening.pictures`` a pair whose true mask cannot be used stays,
            with that mask unknown.

    Raises:
        SourceError: The list cannot be read, a file is missing, or no pair is left.
    """
    opening = opening.absolute()
    listed = opening.read()
    if not listed.pairs:
        raise SourceError.expected(
            listed.path, "a row for each pair", "a header alone", "Write the rows"
        )
    files = list(dict.fromkeys(path for pair in listed.pairs for path in pair.files))
    progress.start("files", len(files))
    digests = digests_of(files, progress.advance)
    progress.stop()
    missing = {path: f"{path}: no such file" for path in files if digests[path] == "missing"}
    if missing and not skip_unusable and opening.pictures:
        path = next(iter(missing))
        raise SourceError.expected(
            listed.path,
            f"the {len(files):,} files that it names",
            f"{len(missing):,} missing, such as {path}",
            "Restore them, give their folder by --images, or leave those pairs out with "
            "--skip-unusable",
        )
    wrong = contradictions(listed)
    if wrong and not skip_unusable:
        number, reason = next(iter(wrong.items()))
        raise SourceError(
            f"{listed.path}: pair {number}: {reason}. Correct the row, or leave such pairs out "
            "with --skip-unusable."
        )
    unknown: dict[tuple[int, int], str] = {}
    if not opening.pictures:
        unknown = unknown_masks(listed, missing) if skip_unusable else {}
    else:
        if skip_unusable:
            wrong |= unusable_pairs(listed, missing, progress)
        wrong |= unnamed_pairs(listed, skip_unusable)
    left_out = dict(sorted(wrong.items()))
    pairs = ListedPairs(opening, left_out, fingerprint_of(listed, digests), skip_unusable, unknown)
    if not len(pairs):
        number, reason = next(iter(left_out.items()))
        raise SourceError.expected(
            listed.path,
            "pairs whose pictures are there",
            f"none of {len(listed.pairs):,}; pair {number}: {reason.rstrip('.')}",
            "Give the folder of their pictures by --images, or correct the list",
        )
    if left_out:
        progress.say(f"{pairs.name}: {pairs.said_of_left_out()}")
    return pairs


class ListedPairs:
    """Pairs of a list; see ``records.Pairs``.

    Pickled, it carries how it was opened alone, and the list is read again where it arrives,
    once a process.

    Args:
        opening: Which list.
        left_out: Numbers of pairs that cannot be used, and why.
        fingerprint: Of the content.
        skip_unusable: Whether pairs were asked to be left out.
        unknown: True masks that cannot be used, by pair and side (0 is the probe), and why.
    """

    def __init__(
        self,
        opening: Opening,
        left_out: dict[int, str],
        fingerprint: str,
        skip_unusable: bool = False,
        unknown: Mapping[tuple[int, int], str] | None = None,
    ) -> None:
        self.opening, self.left_out, self._fingerprint = opening, left_out, fingerprint
        self.skip_unusable, self.unknown = skip_unusable, dict(unknown or {})
        listed = opening.read()
        rows = list(listed.pairs)
        for index, side in self.unknown:
            row = rows[index]
            rows[index] = (
                replace(row, probe_mask=None) if side == 0 else replace(row, donor_mask=None)
            )
        self.listed = replace(listed, pairs=tuple(rows))
        self.size = opening.size
        self._rule = RULES[self.listed.canvas]
        self.dtype: Any = self._rule.dtype
        self.indices: tuple[int, ...] = tuple(
            pair.index for pair in self.listed.pairs if pair.index not in left_out
        )

    def __reduce__(self) -> tuple[Any, ...]:
        left_out, unknown = tuple(self.left_out.items()), tuple(self.unknown.items())
        return _again, (self.opening, left_out, self._fingerprint, self.skip_unusable, unknown)

    def without(self, left_out: Mapping[int, str]) -> "ListedPairs":
        """Return the same pairs with more of them left out, by number and reason."""
        both = dict(sorted({**self.left_out, **left_out}.items()))
        return ListedPairs(self.opening, both, self._fingerprint, self.skip_unusable, self.unknown)

    def said_of_left_out(self) -> str:
        """Return how many pairs were left out, by reason, and an example."""
        number, reason = next(iter(self.left_out.items()))
        counts = ", ".join(f"{kind} {n:,}" for kind, n in self.facts["left_out_by_reason"].items())
        return (
            f"{len(self):,} of {self.facts['whole']:,} pairs; left out {len(self.left_out):,}, "
            f"such as pair {number}: {reason.rstrip('.')} ({counts})"
        )

    @property
    def parameters(self) -> tuple[str, ...]:
        """None: nobody says what was done to the regions."""
        return ()

    @property
    def name(self) -> str:
        """What results are filed under."""
        return self.listed.name

    @property
    def fingerprint(self) -> str:
        """Of the list's files, see ``files.fingerprint_of``, and the canvas."""
        return self._fingerprint

    @property
    def origin(self) -> dict[str, Any]:
        """The list, and how it was opened."""
        named = {
            name: str(path) if (path := getattr(self.opening, name)) else None
            for name in ("path", "images", "reference")
        }
        return {
            **named,
            "size": self.size,
            "skip_unusable": self.skip_unusable,
            "pictures": self.opening.pictures,
        }

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Format, counts, and what was left out."""
        listed = self.listed
        whole = listed.whole or len(listed.pairs)
        notes = list(listed.notes)
        if len(self) < whole:
            notes.insert(0, f"{self.name}: {len(self):,} of {whole:,} pairs")
        if self.unknown:
            reason = next(iter(self.unknown.values()))
            notes.append(
                f"{self.name}: {len(self.unknown):,} true masks cannot be used, such as {reason}"
            )
        return {
            "notes": notes,
            "format": listed.format,
            "list": listed.path.name,
            "whole": whole,
            "listed": len(listed.pairs),
            "left_out": len(self.left_out),
            "left_out_by_reason": dict(Counter(map(kind_of, self.left_out.values()))),
        }

    def __len__(self) -> int:
        """Return how many pairs can be used."""
        return len(self.indices)

    def __getitem__(self, index: int) -> Pair:
        """Return the pair of a number, its pictures rounded to 8 bits.

        Classical methods see these; networks are fed what ``read_into`` gives, which is not
        rounded for the DMAC authors' released lists.
        """
        return read_pair(self, index)

    def __iter__(self) -> Iterator[Pair]:
        """Yield every pair in order."""
        return (self[index] for index in self.indices)

    def row(self, index: int) -> ListedPair:
        """Return a pair as the list has it."""
        return self.listed.pairs[index]

    def kind(self, index: int) -> str:
        """Return ``positive``, ``negative`` or ``unlabelled``."""
        return self.row(index).kind

    def label(self, index: int) -> int:
        """Return a pair's label."""
        return self.row(index).label

    def known(self, index: int) -> tuple[bool, bool]:
        """Return whether the truth of each mask is known."""
        return self.row(index).known

    def about(self, index: int) -> dict[str, float | int | str]:
        """Return what the list calls the two pictures."""
        row = self.row(index)
        return {"probe": row.probe_name, "donor": row.donor_name}

    def read_into(
        self, index: int, probe: Any, donor: Any, probe_mask: Any, donor_mask: Any
    ) -> int:
        """Fill arrays with one pair; return its label; see ``records.Pairs``.

        Raises:
            SourceError: A file cannot be read, or a mask is of another size than its picture.
        """
        row = self.row(index)
        for path, own, picture, mask_path, mask in (
            (row.probe, row.probe_size, probe, row.probe_mask, probe_mask),
            (row.donor, row.donor_size, donor, row.donor_mask, donor_mask),
        ):
            assert path is not None
            shape, pixels = _on_canvas(path, own, self.size, self.listed.canvas)
            picture[:] = pixels if picture.dtype == pixels.dtype else np.rint(pixels)
            mask[:] = 0
            if mask_path is not None:
                mask[:] = self._rule.mask(read_mask(mask_path, self.listed.masks, shape), self.size)
        return row.label

    @cached_property
    def pictures(self) -> tuple[tuple[Path, tuple[int, int] | None], ...]:
        """Every picture once, and the size that the list says it has."""
        rows = [self.row(index) for index in self.indices]
        both = (((row.probe, row.probe_size), (row.donor, row.donor_size)) for row in rows)
        return tuple(dict.fromkeys((path, size) for pair in both for path, size in pair if path))

    @cached_property
    def _numbers(self) -> dict[Path, int]:
        return {path: number for number, (path, _) in enumerate(self.pictures)}

    def picture_numbers(self, index: int) -> tuple[int, int]:
        """Return the places of a pair's probe and donor in ``pictures``."""
        row = self.row(index)
        assert row.probe is not None
        assert row.donor is not None
        return self._numbers[row.probe], self._numbers[row.donor]

    def picture(self, number: int) -> Pixels:
        """Return a picture on the canvas, uint8 (size, size, 3)."""
        pixels = _on_canvas(*self.pictures[number], self.size, self.listed.canvas)[1]
        return np.asarray(np.rint(pixels).astype(np.uint8))

    def masks(self, index: int) -> tuple[Mask, Mask]:
        """Return both masks on the canvas, bool (size, size); empty where there is none.

        Raises:
            SourceError: One cannot be read, or is of another size than its picture.
        """
        probe, donor = (self._mask_on_canvas(index, side) for side in (0, 1))
        return probe, donor

    def _mask_on_canvas(self, index: int, side: int) -> Mask:
        path = (self.row(index).probe_mask, self.row(index).donor_mask)[side]
        if path is None:
            return np.zeros((self.size, self.size), dtype=bool)
        mask = read_mask(path, self.listed.masks, self.shape(index, side))
        return self._rule.mask(mask, self.size)

    def shape(self, index: int, side: int) -> tuple[int, int] | None:
        """Return the height and width of a picture as in its file; side 0 is the probe.

        What the list says, else the picture's, else its true mask's; None where neither says it.
        """
        row = self.row(index)
        path, size, mask = (
            (row.probe, row.probe_size, row.probe_mask),
            (row.donor, row.donor_size, row.donor_mask),
        )[side]
        if size is not None:
            return size[1], size[0]
        for file in (path, mask):
            with suppress(SourceError):
                if file is not None:
                    return shape_of(file)
        return None

    def mask_levels(self, index: int, side: int) -> Pixels | None:
        """Return a true mask's grey levels, uint8 (H, W, C); None where there is no file."""
        path = (self.row(index).probe_mask, self.row(index).donor_mask)[side]
        literal = self.listed.masks in LITERAL
        return None if path is None else read_levels(path, literal=literal)

    def truth(self, index: int, side: int, shape: tuple[int, int] | None = None) -> Mask:
        """Return a mask at its picture's own size, bool (H, W); empty where there is none.

        Args:
            index: The pair's number.
            side: 0 is the probe, 1 the donor.
            shape: Height and width of its picture; None asks for them.

        Raises:
            SourceError: The mask is of another size, or cannot be read.
        """
        path = (self.row(index).probe_mask, self.row(index).donor_mask)[side]
        shape = shape or self.shape(index, side)
        if path is None:
            return np.zeros(shape or (self.size, self.size), dtype=bool)
        return read_mask(path, self.listed.masks, shape)


@lru_cache(maxsize=_KEPT)
def _on_canvas(
    path: Path, own: tuple[int, int] | None, size: int, canvas: str
) -> tuple[tuple[int, ...], Any]:
    picture: Pixels = read_picture(path, own)
    return picture.shape, RULES[canvas].picture(picture, size)


@lru_cache(maxsize=4)
def _again(
    opening: Opening,
    left_out: Sequence[tuple[int, str]],
    fingerprint: str,
    skip_unusable: bool,
    unknown: Sequence[tuple[tuple[int, int], str]],
) -> ListedPairs:
    return ListedPairs(opening, dict(left_out), fingerprint, skip_unusable, dict(unknown))
