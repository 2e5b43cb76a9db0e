"""NIST's splice task: an index of pairs, and a reference of the truth.

::

    MFC18_Dev/
      indexes/MFC18_Dev-splice-index.csv            TaskID|ProbeFileID|ProbeFileName|...
      reference/splice/MFC18_Dev-splice-ref.csv     ...|IsTarget, masks where it is Y
      reference/splice/mask/*.png                   black is manipulated, white is not
      probe/*, world/*                              pictures, of any size

Names in both tables are relative to the data set's folder. The probe's true mask is
``BinaryProbeMaskFileName``, the donor's ``DonorMaskFileName``.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cisdl_bench.adapters.files import is_file
from cisdl_bench.adapters.formats import ListFormat, format_spec
from cisdl_bench.adapters.listed import ListedPair, PairList
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.table import Row, read_table
from cisdl_bench.errors import SourceError

_INDEX_END, _REFERENCE_END = "-splice-index", "-splice-ref"
KEY = ("ProbeFileID", "DonorFileID")
_MOST_PX = 1 << 30  # of a picture


class Trial(NamedTuple):
    """One row of an index.

    Attributes:
        probe_id: Id of the probe.
        donor_id: Id of the donor.
        probe_file: Name of the probe's file, relative to the data set.
        donor_file: Name of the donor's file, relative to the data set.
        probe_size: Width and height of the probe in px.
        donor_size: Width and height of the donor in px.
    """

    probe_id: str
    donor_id: str
    probe_file: str
    donor_file: str
    probe_size: tuple[int, int]
    donor_size: tuple[int, int]


def read_index(path: Path) -> list[Trial]:
    """Return the trials of an index.

    Raises:
        SourceError: It cannot be read, names a pair twice, or a size is no whole number.
    """
    trials: dict[tuple[str, str], Trial] = {}
    for number, row in enumerate(read_table(path, format_spec("mfc")["list"]["columns"])):
        ids = row["ProbeFileID"], row["DonorFileID"]
        if ids in trials:
            raise SourceError(
                f"{path}: trial {number}: the pair {ids[0]} {ids[1]} occurs twice. Remove one."
            )
        sizes = [_size(row, side, f"{path}: trial {number}") for side in ("Probe", "Donor")]
        trials[ids] = Trial(*ids, row["ProbeFileName"], row["DonorFileName"], *sizes)
    return list(trials.values())


def _size(row: Row, side: str, where: str) -> tuple[int, int]:
    texts = row[f"{side}Width"], row[f"{side}Height"]
    plain = all(text.isascii() and text.isdecimal() and len(text) < 9 for text in texts)
    sides = [int(text) for text in texts] if plain else [0]
    if not (min(sides) > 0 and np.prod(sides) <= _MOST_PX):
        raise SourceError.expected(
            where,
            f"{side}Width and {side}Height in px",
            " x ".join(text[:20] for text in texts),
            "Correct the index",
        )
    return sides[0], sides[1]


def find_root(index: Path, images: Path | None) -> Path:
    """Return the folder that the names of an index are relative to."""
    return images or index.absolute().parent.parent


def data_name(index: Path) -> str:
    """Return the data set's name.

    >>> data_name(Path("indexes/MFC18_Dev-splice-index.csv"))
    'MFC18_Dev'
    """
    return index.stem.removesuffix(_INDEX_END)


def find_reference(index: Path) -> Path:
    """Return where NIST's layout has the reference of an index."""
    name = f"{data_name(index)}{_REFERENCE_END}.csv"
    return index.absolute().parent.parent / "reference" / "splice" / name


def read_mfc(index: Path, options: ListOptions, form: ListFormat) -> PairList:
    """Return the pairs of an index, with the truth of its reference where labels are wanted.

    Raises:
        SourceError: A table cannot be read, or the reference lacks a pair of the index.
    """
    root = find_root(index, options.images)
    pairs = tuple(
        ListedPair(
            k,
            trial.probe_id,
            trial.donor_id,
            root / trial.probe_file,
            root / trial.donor_file,
            probe_size=trial.probe_size,
            donor_size=trial.donor_size,
        )
        for k, trial in enumerate(read_index(index))
    )
    listed = PairList(form.name, data_name(index), index, pairs, masks=form.masks)
    return _with_truth(listed, root, options.reference) if options.labelled else listed


def _with_truth(listed: PairList, root: Path, reference: Path | None) -> PairList:
    """Return the pairs with labels and masks of a reference; None is where NIST's layout has it."""
    where = reference or find_reference(listed.path)
    if not is_file(where):
        raise SourceError.expected(
            where, "the reference of that index", "no such file", "Name it by --reference"
        )
    masks = ("BinaryProbeMaskFileName", "ProbeMaskFileName")
    rows = read_table(where, (*KEY, "DonorMaskFileName", "IsTarget"), masks)
    binary = not rows or masks[0] in rows[0]
    truth = {(row[KEY[0]], row[KEY[1]]): row for row in rows}
    pairs = []
    for pair in listed.pairs:
        row = truth.get((pair.probe_name, pair.donor_name))
        if row is None or row["IsTarget"] not in ("Y", "N"):
            got = "none" if row is None else repr(row["IsTarget"])
            raise SourceError.expected(
                f"{where}: {pair.probe_name} {pair.donor_name}",
                "IsTarget Y or N for each pair of the index",
                got,
                "Give the reference of that index",
            )
        target = row["IsTarget"] == "Y"
        names = (row.get(masks[0] if binary else masks[1], ""), row["DonorMaskFileName"])
        files = [root / name if target and name else None for name in names]
        pairs.append(replace(pair, label=int(target), probe_mask=files[0], donor_mask=files[1]))
    note = f"{where.name} has no {masks[0]}; {masks[1]} stands for it"
    return replace(listed, pairs=tuple(pairs), notes=() if binary else (note,))
