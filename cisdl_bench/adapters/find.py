"""Which format a list is of: its columns say."""

from pathlib import Path

from cisdl_bench.adapters import casia, mfc, plain, release
from cisdl_bench.adapters.files import is_file
from cisdl_bench.adapters.formats import format_spec
from cisdl_bench.adapters.listed import PairList
from cisdl_bench.adapters.table import header_of
from cisdl_bench.errors import SourceError

FORMATS = {
    "release": release.COLUMNS,
    "casia": casia.COLUMNS,
    "mfc": tuple(format_spec("mfc")["columns"]["index"]),
    "plain": plain.COLUMNS,
}


def format_of(path: Path) -> str | None:
    """Return the format of a list, None where it is none.

    Raises:
        SourceError: The file cannot be read.
    """
    names = set(header_of(path))
    fits = (name for name, columns in FORMATS.items() if names >= {c.lower() for c in columns})
    return next(fits, None)


def find_lists(path: Path) -> list[Path]:
    """Return the lists at a path: itself, NIST's indexes of a folder, or the lists in it.

    Raises:
        SourceError: There is none.
    """
    if is_file(path):
        return [path]
    indexes = mfc.find_indexes(path)
    if indexes:
        return indexes
    return [each for each in sorted(path.glob("*.csv")) if format_of(each)]


def read_list(
    path: Path,
    images: Path | None = None,
    reference: Path | None = None,
    *,
    labelled: bool = True,
    pictures: bool = True,
) -> PairList:
    """Return a list of pairs, whatever its format.

    Args:
        path: The list.
        images: Where its pictures lie; None is where its format has them.
        reference: NIST's reference, where its layout does not have it.
        labelled: False reads an index of NIST's alone.
        pictures: False where nothing will look at them, so that none need be there.

    Raises:
        SourceError: It is of no known format, or cannot be read.
    """
    kind = format_of(path)
    if kind == "release":
        return release.read_release(path, images)
    if kind == "casia":
        return casia.read_casia(path, images, pictures=pictures)
    if kind == "mfc":
        return mfc.read_mfc(path, images, reference) if labelled else mfc.read_trials(path, images)
    if kind == "plain":
        return plain.read_plain(path, images)
    columns = "; ".join(",".join(names) for names in FORMATS.values())
    raise SourceError.expected(
        path,
        f"the columns of a list of pairs ({columns})",
        ",".join(header_of(path)),
        "Name the columns in its first line",
    )
