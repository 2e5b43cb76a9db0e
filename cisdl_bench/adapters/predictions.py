"""Scores and masks that another program computed.

::

    scores.csv           probe,donor,score[,probe_mask,donor_mask]    or index,score[,...]
    masks/a-probe.png    paths are relative to the CSV; 255 is probability 1

``probe`` and ``donor`` are the names in the list that is scored; ``index`` is a pair's number in a
list or set, as in ``pairs.csv``. A mask that found nothing may be written ``empty``. NIST's system
output (``ProbeFileID|DonorFileID|ConfidenceScore|...``) is read as well: there black is
manipulated, and no name is a white mask.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cisdl_bench.adapters.files import digests_of
from cisdl_bench.adapters.formats import format_spec
from cisdl_bench.adapters.mfc import KEY
from cisdl_bench.adapters.table import Row, header_of, read_table
from cisdl_bench.errors import SourceError
from cisdl_bench.records import Pairs

EMPTY = "empty"
MASKS = ("probe_mask", "donor_mask")
_STATUS = ("ProbeStatus", "DonorStatus")
_OPT_OUT = "IsOptOut"

Key = tuple[str, ...]


@dataclass(frozen=True)
class Prediction:
    """What a program says of one pair.

    Attributes:
        key: The names of probe and donor, or the pair's number alone.
        score: Higher is more likely to be spliced.
        masks: Files of both masks, ``EMPTY``, or None where there are no masks.
        detects: Whether its score counts where NIST's opt-outs are left out.
        localizes: Whether each mask does.
    """

    key: Key
    score: float
    masks: tuple[Path | str | None, Path | str | None] = (None, None)
    detects: bool = True
    localizes: tuple[bool, bool] = (True, True)


@dataclass(frozen=True)
class Predictions:
    """A whole file of them, to be scored in a detector's place.

    Attributes:
        path: The file.
        rows: One for each pair.
        dark: Whether black is manipulated.
        identity: SHA-256 of the file and of its masks.
    """

    path: Path
    rows: tuple[Prediction, ...]
    dark: bool
    identity: str

    @property
    def name(self) -> str:
        """Return what results are filed under."""
        return self.path.stem

    def by_number(self, pairs: Pairs) -> dict[int, Prediction | None]:
        """Return the predictions by the pairs' numbers, None where a pair has none.

        Raises:
            SourceError: Two predictions of one pair differ.
        """
        found: dict[Key, Prediction] = {}
        for row in self.rows:
            if found.setdefault(row.key, row) != row:
                raise SourceError.expected(
                    f"{self.path}: {' '.join(row.key)}",
                    "one prediction for each pair",
                    "two that differ",
                    "Remove one",
                )
        numbered = all(len(key) == 1 for key in found)
        return {
            index: found.get((str(index),) if numbered else _key(pairs, index))
            for index in pairs.indices
        }

    def of(self, pairs: Pairs) -> dict[int, Prediction]:
        """Return the predictions by the pairs' numbers.

        Raises:
            SourceError: Pairs lack one, or two of one pair differ.
        """
        by_number = self.by_number(pairs)
        lacking = [index for index, row in by_number.items() if row is None]
        if lacking:
            first = " ".join(_key(pairs, lacking[0])) or f"pair {lacking[0]}"
            raise SourceError.expected(
                self.path,
                f"predictions of the {len(pairs):,} pairs of {pairs.name}",
                f"none for {len(lacking):,}, such as {first}",
                "Name pairs as the list does, or by `index`",
            )
        return {index: row for index, row in by_number.items() if row is not None}


def _key(pairs: Pairs, index: int) -> Key:
    about = pairs.about(index)
    return tuple(str(about[side]) for side in ("probe", "donor") if side in about)


def read_predictions(path: Path) -> Predictions:
    """Return the predictions of a file.

    Raises:
        SourceError: It cannot be read, lacks a column, a score is not finite, or a mask is missing.
    """
    path = path.absolute()  # workers may have been started in another folder
    names = set(header_of(path))
    nist = {name.lower() for name in KEY} <= names
    if nist:
        columns = format_spec("mfc")["columns"]
        rows = read_table(path, columns["system"], (*columns["status"], *columns["opt_out"]))
        found = [_of_system(path, row) for row in rows]
    else:
        key = ("index",) if "index" in names else ("probe", "donor")
        rows = read_table(path, (*key, "score"), MASKS)
        found = [_of_row(path, row, key) for row in rows]
    files = [mask for row in found for mask in row.masks if isinstance(mask, Path)]
    return Predictions(path, tuple(found), nist, _identity(path, files))


def _of_row(path: Path, row: Row, key: Sequence[str]) -> Prediction:
    where = f"{path}: {' '.join(row[name] for name in key)}"
    masks: list[Path | str | None] = []
    for name in MASKS:
        text = row.get(name)
        if text == "":
            raise SourceError.expected(
                where, f"a {name}", "an empty cell", f"Write {EMPTY} where nothing was found"
            )
        masks.append(text if text in (None, EMPTY) else path.parent / str(text))
    return Prediction(
        tuple(row[name] for name in key), score_of(row["score"], where), (masks[0], masks[1])
    )


def _of_system(path: Path, row: Row) -> Prediction:
    key = tuple(row[name] for name in KEY)
    words = [row.get(name, "") for name in _STATUS]
    masks: list[Path | str] = []
    for side, status in zip(("Probe", "Donor"), words, strict=True):
        name = row[f"Output{side}MaskFileName"]
        blank = not name or "FailedValidation" in (status, row.get(_OPT_OUT))
        masks.append(EMPTY if blank else path.parent / name)
    opted = row.get(_OPT_OUT, "N")
    out = opted in ("Y", "Localization")
    return Prediction(
        key,
        score_of(row["ConfidenceScore"], f"{path}: {' '.join(key)}"),
        (masks[0], masks[1]),
        opted in ("N", "Localization") and words[0] not in ("OptOutAll", "OptOutDetection"),
        (
            not out and words[0] not in ("OptOutAll", "OptOutLocalization"),
            not out and words[1] != "OptOutLocalization",
        ),
    )


def score_of(text: str, where: object) -> float:
    """Return a confidence score.

    Raises:
        SourceError: It is no finite number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SourceError.expected(where, "a finite score", repr(text), "Correct the row")
    return value


def _identity(path: Path, files: Sequence[Path]) -> str:
    digests = digests_of(list(dict.fromkeys(files)), lambda _: None)
    for file, digest in digests.items():
        if digest == "missing":
            raise SourceError.expected(
                path, "the masks that it names", f"no such file: {file}", f"Write {EMPTY} for none"
            )
    total = hashlib.sha256(path.read_bytes())
    total.update("".join(digests[file] for file in files).encode())
    return total.hexdigest()
