"""Submissions to NIST's splice task: how they are named, what is in them, and whether it is valid.

::

    ACME_MFC18_Dev_Splice_ImgOnly_p-sift_1/         TEAM_NCID_DATA_Splice_CONDITION_SYSTEM_VERSION
      ACME_MFC18_Dev_Splice_ImgOnly_p-sift_1.csv    ProbeFileID|DonorFileID|ConfidenceScore|...
      mask/*.png                                    one channel, of the picture's size, black is
                                                    manipulated; no name where nothing was found
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from cisdl_bench.adapters.formats import format_spec
from cisdl_bench.adapters.predictions import parse_score
from cisdl_bench.adapters.table import Row, read_header, read_table
from cisdl_bench.csv_text import format_csv
from cisdl_bench.errors import SourceError
from cisdl_bench.nist.index import KEY, Trial, data_name, read_index

MASK_COLUMNS = ("OutputProbeMaskFileName", "OutputDonorMaskFileName")
_TASK = "Splice"


def find_ncid(index: Path) -> str:
    """Return the challenge that an index is of.

    >>> find_ncid(Path("indexes/MFC18_Dev-splice-index.csv"))
    'MFC18'
    """
    return data_name(index).split("_")[0]


def check_name(name: str, ncid: str) -> str:
    """Return what is wrong with a submission's name; empty where it is right.

    >>> check_name("ACME_MFC18_Dev_Splice_ImgOnly_p-sift_1", "MFC18")
    ''
    >>> check_name("AC_ME_MFC18_Dev_Splice_ImgOnly_p-sift_1", "MFC18")
    'expected TEAM_NCID_DATA_Splice_CONDITION_SYSTEM_VERSION, 7 fields, got 8'
    """
    rule = format_spec("mfc")["name"]["parts"]
    fields = name.split("_")
    if len(fields) != len(rule):
        return f"expected {'_'.join(rule)}, {len(rule)} fields, got {len(fields)}"
    if not re.fullmatch(r"[A-Za-z0-9.+-]+(_[A-Za-z0-9.+-]+)*", name):
        return "expected letters, digits and .+- in each field, got another character or none"
    if fields[1] != ncid:
        return f"expected {ncid} as its second field, got {fields[1]}"
    if fields[3] != _TASK:
        return f"expected {_TASK} as its fourth field, got {fields[3]}"
    return ""


class Style(NamedTuple):
    """Which columns say that a pair was opted out.

    Attributes:
        columns: Names of the columns.
        processed: Words of the columns for a pair that was looked at.
        opted_out: Words of the columns for a pair whose pictures cannot be read.
        further: Names of columns after these, left empty.
    """

    columns: tuple[str, ...]
    processed: tuple[str, ...]
    opted_out: tuple[str, ...]
    further: tuple[str, ...]


def find_style(ncid: str) -> Style:
    """Return the columns of a challenge: ``IsOptOut`` in NC17, two status columns since.

    >>> find_style("NC17").columns, find_style("MFC18").columns
    (('IsOptOut',), ('ProbeStatus', 'DonorStatus'))
    """
    spec = format_spec("mfc")
    name = "opt_out" if ncid.startswith("NC17") else "status"
    words = spec["written"][name]
    further = tuple(spec["columns"]["pixels"]) if name == "status" else ()
    return Style(
        tuple(spec["columns"][name]), tuple(words["processed"]), tuple(words["opted_out"]), further
    )


def format_table(rows: Sequence[Mapping[str, Any]], style: Style) -> str:
    """Return a submission's CSV.

    Args:
        rows: Cells by NIST's names of columns.
        style: Columns that say what was opted out.
    """
    spec = format_spec("mfc")
    names = [*spec["columns"]["system"], *style.columns, *style.further]
    return format_csv(rows, names, spec["separator"])


def check_trials(index: Path, trials: Sequence[Trial]) -> None:
    """Refuse ids that cannot be parts of a mask's name.

    Raises:
        SourceError: One has other characters than letters, digits and ``._-``.
    """
    for trial in trials:
        for name in (trial.probe_id, trial.donor_id):
            if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
                raise SourceError.expected(
                    index, "ids of letters, digits and ._-", repr(name), "Rename it in the index"
                )


def check_submission(table: Path, index: Path, ncid: str | None = None) -> list[str]:
    """Return what NIST's validator, or its scorer, would not take; empty where all is well.

    Beyond the validator: a pair named twice, and no column that says what was opted out.

    Args:
        table: CSV of the submission.
        index: Index that the submission answers.
        ncid: Word for the challenge, such as ``MFC18``; None is the index's.

    Raises:
        SourceError: A table cannot be read at all.
    """
    problems = []
    wrong = check_name(table.stem, ncid or find_ncid(index))
    if wrong:
        problems.append(f"{table.name}: {wrong}")
    folder = table.absolute().parent.name
    if folder != table.stem:
        problems.append(f"{table.name}: expected a folder of that name, got {folder}")
    trials = {(trial.probe_id, trial.donor_id): trial for trial in read_index(index)}
    spec = format_spec("mfc")
    columns, words = spec["columns"], spec["words"]
    header = set(read_header(table))
    for name in columns["pixels"]:
        if name.lower() not in header and any(
            other.lower() in header for other in columns["pixels"]
        ):
            problems.append(f"{table.name}: expected both OptOutPixelValue columns, got one")
    styles = (columns["status"], columns["opt_out"])
    if not any({name.lower() for name in style} <= header for style in styles):
        problems.append(
            f"{table.name}: expected the columns {' and '.join(styles[0])}, or {styles[1][0]}, "
            "got neither"
        )
    rows = read_table(table, columns["system"], tuple(words))
    if len(rows) != len(trials):
        problems.append(f"{table.name}: expected {len(trials)} rows as the index, got {len(rows)}")
    seen: set[tuple[str, str]] = set()
    for row in rows:
        key = row[KEY[0]], row[KEY[1]]
        where = f"{table.name}: {' '.join(key)}"
        problems += [f"{where}: {problem}" for problem in _check_row(row, key, trials, seen)]
        seen.add(key)
        if key in trials:
            problems += list(_check_masks(table, row, trials[key]))
    return problems


def _check_row(
    row: Row, key: tuple[str, str], trials: Mapping[tuple[str, str], Trial], seen: set[Any]
) -> Iterator[str]:
    if key not in trials:
        yield "expected a pair of the index, got another"
    if key in seen:
        yield "expected each pair once, got it again"
    try:
        parse_score(row["ConfidenceScore"], "")
    except SourceError:
        yield f"expected a finite ConfidenceScore, got {row['ConfidenceScore']!r}"
    for name, allowed in format_spec("mfc")["words"].items():
        if name in row and row[name] not in allowed:
            yield f"expected {name} out of {', '.join(allowed)}, got {row[name]!r}"


def _check_masks(table: Path, row: Row, trial: Trial) -> Iterator[str]:
    for name, size in zip(MASK_COLUMNS, (trial.probe_size, trial.donor_size), strict=True):
        if not row[name]:
            continue
        wrong = _check_mask(table, row[name], size)
        if wrong:
            yield f"{table.name}: {row[name]}: expected {wrong}"


def _check_mask(table: Path, name: str, size: tuple[int, int]) -> str:
    root = table.absolute().parent
    if ".." in Path(name).parts or Path(name).is_absolute():
        return "a mask within the submission's folder, got one outside"
    try:
        with Image.open(root / name) as mask:
            mask.load()
            if mask.format != "PNG":
                return f"a PNG file, got {mask.format}"
            if len(mask.getbands()) != 1 or mask.mode == "P":
                return f"one channel, got {mask.mode}"
            if mask.size != size:
                wanted = f"{size[0]} x {size[1]} px"
                return f"{wanted} as the index says, got {mask.size[0]} x {mask.size[1]}"
    except FileNotFoundError:
        return "a file, got none"
    except Exception as error:  # Pillow's decoders raise far more than OSError
        message = (str(error).splitlines() or [type(error).__name__])[0]
        return f"a PNG file, got '{message}'"
    return ""
