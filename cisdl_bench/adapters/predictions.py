"""Scores and masks that another program computed.

::

    scores.csv           probe,donor,score[,probe_mask,donor_mask]    or index,score[,...]
    masks/a-probe.png    paths are relative to the CSV; 255 is probability 1

``probe`` and ``donor`` are the names in the list that is scored; ``index`` is a pair's number in a
list or set, as in ``pairs.csv``. A mask that found nothing may be written ``empty``. Other formats,
such as NIST's system output, have readers of their own, see ``formats.PredictionFormat``.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cisdl_bench.adapters.files import hash_files
from cisdl_bench.adapters.formats import prediction_format
from cisdl_bench.adapters.table import Row, read_header, read_table
from cisdl_bench.by_name import load_by_name
from cisdl_bench.errors import SourceError
from cisdl_bench.pairs import Pairs

EMPTY = "empty"
_MASK_COLUMNS = ("probe_mask", "donor_mask")

Key = tuple[str, ...]


@dataclass(frozen=True)
class Prediction:
    """What a program says of one pair.

    Attributes:
        key: Names of probe and donor, or the pair's number alone.
        score: Confidence that the pair is spliced; higher is more likely.
        masks: Files of both masks, ``EMPTY``, or None where there are no masks.
        detects: Whether the score counts where NIST's opt-outs are left out.
        localizes: Whether each mask counts where NIST's opt-outs are left out.
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
        path: File of the predictions.
        rows: Predictions, one for each pair.
        dark: Whether black is manipulated in the masks, not white.
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
        by_key: dict[Key, Prediction] = {}
        for row in self.rows:
            if by_key.setdefault(row.key, row) != row:
                where = f"{self.path}: {' '.join(row.key)}"
                raise SourceError(f"{where}: two predictions of the pair differ. Remove one.")
        numbered = all(len(key) == 1 for key in by_key)
        return {
            index: by_key.get((str(index),) if numbered else _pair_key(pairs, index))
            for index in pairs.indices
        }

    def match(self, pairs: Pairs) -> dict[int, Prediction]:
        """Return the predictions by the pairs' numbers.

        Raises:
            SourceError: Pairs lack one, or two of one pair differ.
        """
        by_number = self.by_number(pairs)
        lacking = [index for index, row in by_number.items() if row is None]
        if lacking:
            first = " ".join(_pair_key(pairs, lacking[0])) or f"pair {lacking[0]}"
            raise SourceError(
                f"{self.path}: {len(lacking):,} of the {len(pairs):,} pairs of {pairs.name} have "
                f"no prediction, such as {first}. Name pairs as the list does, or by `index`."
            )
        return {index: row for index, row in by_number.items() if row is not None}


def _pair_key(pairs: Pairs, index: int) -> Key:
    about = pairs.about(index)
    return tuple(str(about[side]) for side in ("probe", "donor") if side in about)


def read_predictions(path: Path) -> Predictions:
    """Return the predictions of a file.

    Raises:
        SourceError: It cannot be read, lacks a column, a score is not finite, or a mask is missing.
    """
    path = path.absolute()  # workers may have been started in another folder
    names = set(read_header(path))
    form = prediction_format(names)
    if form is not None:
        rows: list[Prediction] = load_by_name(form.reader)(path, form)
    else:
        key = ("index",) if "index" in names else ("probe", "donor")
        table = read_table(path, (*key, "score"), _MASK_COLUMNS)
        rows = [_read_row(path, row, key) for row in table]
    files = [mask for row in rows for mask in row.masks if isinstance(mask, Path)]
    dark = form is not None and form.dark
    return Predictions(path, tuple(rows), dark, _identify(path, files))


def _read_row(path: Path, row: Row, key: Sequence[str]) -> Prediction:
    where = f"{path}: {' '.join(row[name] for name in key)}"
    masks: list[Path | str | None] = []
    for name in _MASK_COLUMNS:
        text = row.get(name)
        if text == "":
            raise SourceError.expected(
                where, f"a {name}", "an empty cell", f"Write {EMPTY} where nothing was found"
            )
        masks.append(text if text in (None, EMPTY) else path.parent / str(text))
    return Prediction(
        tuple(row[name] for name in key), parse_score(row["score"], where), (masks[0], masks[1])
    )


def parse_score(text: str, where: object) -> float:
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


def _identify(path: Path, files: Sequence[Path]) -> str:
    digests = hash_files(list(dict.fromkeys(files)), lambda _: None)
    for file, digest in digests.items():
        if digest == "missing":
            raise SourceError.expected(
                path, "the masks that it names", f"no such file: {file}", f"Write {EMPTY} for none"
            )
    total = hashlib.sha256(path.read_bytes())
    total.update("".join(digests[file] for file in files).encode())
    return total.hexdigest()
