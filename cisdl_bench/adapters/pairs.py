"""A list's pairs on a canvas, read from their files as they are asked for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cisdl_bench.adapters.canvas import RULES
from cisdl_bench.adapters.files import is_file
from cisdl_bench.adapters.find import read_list
from cisdl_bench.adapters.listed import ListedPair, PairList
from cisdl_bench.adapters.masks import LITERAL, read_levels, read_mask
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.picture import read_picture, read_shape
from cisdl_bench.adapters.usable import classify_reason
from cisdl_bench.errors import SourceError
from cisdl_bench.pairs import Pairs, Reference
from cisdl_bench.records import Mask, Pixels

_KEPT = 16  # pictures on the canvas, in each process


class ListedPairs(Pairs):
    """Pairs of a list; see ``pairs.Pairs``.

    Classical methods see what ``pairs[i]`` gives, pictures rounded to 8 bits; networks are fed what
    ``read_into`` gives, which is not rounded for the DMAC authors' released lists. Pickled, the
    pairs carry how they were opened alone, and the list is read again where they arrive, once a
    process.

    Args:
        path: File of the list.
        options: Choices of the user about lists.
        left_out: Reasons by the numbers of pairs that cannot be used.
        fingerprint: Hash of the content, see ``files.fingerprint_list``.
        unknown: Reasons by pair and side of true masks that cannot be used; side 0 is the probe.
        listed: The list, where it was read already.
    """

    def __init__(
        self,
        path: Path,
        options: ListOptions,
        left_out: Mapping[int, str],
        fingerprint: str,
        unknown: Mapping[tuple[int, int], str] | None = None,
        listed: PairList | None = None,
    ) -> None:
        self.path, self.options = path, options
        self.left_out, self.fingerprint = dict(left_out), fingerprint
        self.unknown = dict(unknown or {})
        self.listed = _forget_masks(listed or read_list(path, options), self.unknown)
        self.name, self.size = self.listed.name, options.size
        self.partial = self.listed.partial or options.skip_unusable
        self._rule = RULES[self.listed.canvas]
        self.dtype = self._rule.dtype
        self.indices = tuple(
            pair.index for pair in self.listed.pairs if pair.index not in self.left_out
        )

    def __reduce__(self) -> tuple[Any, ...]:
        left_out, unknown = tuple(self.left_out.items()), tuple(self.unknown.items())
        return _reopen, (
            type(self),
            self.path,
            self.options,
            left_out,
            self.fingerprint,
            unknown,
        )

    def without_missing(self, indices: Sequence[int], reason: str) -> "ListedPairs":
        """Return the pairs without those of some numbers whose pictures are missing.

        Args:
            indices: Numbers of pairs that may be left out.
            reason: Why they are left out.
        """
        rows = [self.row(index) for index in indices]
        missing = [row.index for row in rows if not all(p and is_file(p) for p in row.pictures)]
        left_out = dict(sorted({**self.left_out, **dict.fromkeys(missing, reason)}.items()))
        return type(self)(self.path, self.options, left_out, self.fingerprint, self.unknown)

    def describe_left_out(self) -> str:
        """Return how many pairs were left out, by reason, and an example."""
        number, reason = next(iter(self.left_out.items()))
        counts = ", ".join(f"{kind} {n:,}" for kind, n in self.facts["left_out_by_reason"].items())
        return (
            f"{len(self):,} of {self.facts['whole']:,} pairs; left out {len(self.left_out):,}, "
            f"such as pair {number}: {reason.rstrip('.')} ({counts})"
        )

    @property
    def origin(self) -> dict[str, Any]:
        """The list, and how it was opened."""
        options = self.options
        return {
            "path": str(self.path),
            "images": str(options.images) if options.images else None,
            "reference": str(options.reference) if options.reference else None,
            "size": self.size,
            "skip_unusable": options.skip_unusable,
            "pictures": options.pictures,
            **({"part": options.part} if options.part else {}),
        }

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Format, counts, and what was left out."""
        listed = self.listed
        published = listed.whole or len(listed.pairs)
        notes = list(listed.notes)
        if len(self) < published:
            notes.insert(0, f"{self.name}: {len(self):,} of {published:,} pairs")
        if self.unknown:
            reason = next(iter(self.unknown.values()))
            notes.append(
                f"{self.name}: {len(self.unknown):,} true masks cannot be used, such as {reason}"
            )
        return {
            "notes": notes,
            "format": listed.format,
            "list": listed.path.name,
            "whole": published,
            "listed": len(listed.pairs),
            "left_out": len(self.left_out),
            "left_out_by_reason": dict(Counter(map(classify_reason, self.left_out.values()))),
        }

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
        """Fill arrays with one pair; return its label; see ``pairs.Pairs``.

        Raises:
            SourceError: A file cannot be read, or a mask is of another size than its picture.
        """
        row = self.row(index)
        targets = ((probe, probe_mask), (donor, donor_mask))
        for side, (picture, mask) in enumerate(targets):
            path, mask_path = row.pictures[side], row.masks[side]
            assert path is not None
            shape, pixels = _read_on_canvas(path, row.sizes[side], self.size, self.listed.canvas)
            picture[:] = pixels if picture.dtype == pixels.dtype else np.rint(pixels)
            mask[:] = 0
            if mask_path is not None:
                mask[:] = self._rule.mask(read_mask(mask_path, self.listed.masks, shape), self.size)
        return row.label

    @cached_property
    def pictures(self) -> tuple[tuple[Path, tuple[int, int] | None], ...]:
        """Every picture once, and the size that the list says it has."""
        unique: dict[tuple[Path, tuple[int, int] | None], None] = {}
        for index in self.indices:
            row = self.row(index)
            for path, size in zip(row.pictures, row.sizes, strict=True):
                if path is not None:
                    unique[path, size] = None
        return tuple(unique)

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
        path, size = self.pictures[number]
        pixels = _read_on_canvas(path, size, self.size, self.listed.canvas)[1]
        return np.asarray(np.rint(pixels).astype(np.uint8))

    def masks(self, index: int) -> tuple[Mask, Mask]:
        """Return both masks on the canvas, bool (size, size); empty where there is none.

        Raises:
            SourceError: One cannot be read, or is of another size than its picture.
        """
        probe, donor = (self._mask_on_canvas(index, side) for side in (0, 1))
        return probe, donor

    def _mask_on_canvas(self, index: int, side: int) -> Mask:
        path = self.row(index).masks[side]
        if path is None:
            return np.zeros((self.size, self.size), dtype=bool)
        mask = read_mask(path, self.listed.masks, self.own_shape(index, side))
        return self._rule.mask(mask, self.size)

    def own_shape(self, index: int, side: int) -> tuple[int, int] | None:
        """Return the height and width of a picture as in its file; side 0 is the probe.

        What the list says, else the picture's, else its true mask's; None where neither says it.
        """
        row = self.row(index)
        size = row.sizes[side]
        if size is not None:
            return size[1], size[0]
        for file in (row.pictures[side], row.masks[side]):
            with suppress(SourceError):
                if isinstance(file, Path):
                    return read_shape(file)
        return None

    def mask_levels(self, index: int, side: int) -> Pixels | None:
        """Return a true mask's grey levels, uint8 (H, W, C); None where there is no file."""
        path = self.row(index).masks[side]
        literal = self.listed.masks in LITERAL
        return read_levels(path, literal=literal) if isinstance(path, Path) else None

    def reference(
        self, index: int, side: int, shape: tuple[int, int], zones: tuple[int, int] = (0, 0)
    ) -> Reference | None:
        """Return what a predicted mask is compared with; see ``pairs.Pairs``.

        Raises:
            SourceError: The true mask is of another size than its picture, or cannot be read.
        """
        if not self.known(index)[side]:
            return None
        everywhere = np.ones(shape, dtype=bool)
        if shape != (self.own_shape(index, side) or shape):
            return Reference(self.masks(index)[side], everywhere)
        path = self.row(index).masks[side]
        if path is None:
            return Reference(np.zeros(shape, dtype=bool), everywhere)
        return Reference(read_mask(path, self.listed.masks, shape), everywhere)


def _forget_masks(listed: PairList, unknown: Mapping[tuple[int, int], str]) -> PairList:
    """Return the list without the true masks that cannot be used."""
    rows = list(listed.pairs)
    for index, side in unknown:
        row = rows[index]
        rows[index] = replace(row, donor_mask=None) if side else replace(row, probe_mask=None)
    return replace(listed, pairs=tuple(rows))


@lru_cache(maxsize=_KEPT)
def _read_on_canvas(
    path: Path, own: tuple[int, int] | None, size: int, canvas: str
) -> tuple[tuple[int, ...], Any]:
    picture: Pixels = read_picture(path, own)
    return picture.shape, RULES[canvas].picture(picture, size)


@lru_cache(maxsize=4)
def _reopen(
    kind: type[ListedPairs],
    path: Path,
    options: ListOptions,
    left_out: Sequence[tuple[int, str]],
    fingerprint: str,
    unknown: Sequence[tuple[tuple[int, int], str]],
) -> ListedPairs:
    return kind(path, options, dict(left_out), fingerprint, dict(unknown))
