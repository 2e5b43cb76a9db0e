"""Finding lists of pairs, and reading them whatever their format."""

from pathlib import Path

from cisdl_bench.adapters.files import is_file
from cisdl_bench.adapters.formats import ListFormat, list_format, list_formats
from cisdl_bench.adapters.listed import PairList
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.table import read_header
from cisdl_bench.by_name import load_by_name
from cisdl_bench.errors import SourceError


def find_format(path: Path) -> ListFormat | None:
    """Return the format of a list by its columns, None where the file is no list.

    Raises:
        SourceError: The file cannot be read.
    """
    return list_format(set(read_header(path)))


def find_lists(path: Path) -> list[Path]:
    """Return the lists at a path: itself, those where a format has them in a folder, or the CSVs.

    Raises:
        SourceError: A file cannot be read.
    """
    if is_file(path):
        return [path]
    for form in list_formats():
        lists = sorted(path.glob(form.glob)) if form.glob else []
        if lists:
            return lists
    return [file for file in sorted(path.glob("*.csv")) if find_format(file)]


def read_list(path: Path, options: ListOptions) -> PairList:
    """Return a list of pairs, whatever its format.

    Raises:
        SourceError: It is of no known format, or cannot be read.
    """
    form = find_format(path)
    if form is None:
        known = "; ".join(",".join(form.columns) for form in list_formats())
        raise SourceError.expected(
            path,
            f"the columns of a list of pairs ({known})",
            ",".join(read_header(path)),
            "Name the columns in its first line",
        )
    pairs: PairList = load_by_name(form.reader)(path, options, form)
    return pairs
