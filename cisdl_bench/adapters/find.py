"""Finding lists of pairs, and reading them whatever their format."""

from pathlib import Path

from cisdl_bench.adapters.files import is_file
from cisdl_bench.adapters.formats import ListFormat, folder_format, list_format, list_formats
from cisdl_bench.adapters.listed import PairList
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.table import read_header
from cisdl_bench.by_name import load_by_name
from cisdl_bench.errors import SourceError


def find_format(path: Path) -> ListFormat | None:
    """Return the format of a list by its columns or of a folder, None where it is none.

    Raises:
        SourceError: The file cannot be read.
    """
    if path.is_dir():
        return folder_format(path)
    return list_format(set(read_header(path)))


def find_lists(path: Path) -> list[Path]:
    """Return the lists at a path: itself, those where a format has them in a folder, or the CSVs.

    A folder that a format is known by is a list itself; a file of such a folder stands for it.

    Raises:
        SourceError: A file cannot be read.
    """
    if is_file(path):
        form = folder_format(path.parent) if path.suffix == ".json" else None
        return [path.parent] if form and path.name in form.folder else [path]
    for form in list_formats():
        lists = sorted(path.glob(form.glob)) if form.glob else []
        if lists:
            return lists
    files = [file for file in sorted(path.glob("*.csv")) if find_format(file)]
    return files or ([path] if folder_format(path) else [])


def read_list(path: Path, options: ListOptions) -> PairList:
    """Return a list of pairs, whatever its format.

    Raises:
        SourceError: It is of no known format, or cannot be read.
    """
    form = find_format(path)
    if form is None:
        known = "; ".join(",".join(form.columns) for form in list_formats() if form.columns)
        raise SourceError.expected(
            path,
            f"the columns of a list of pairs ({known})",
            ",".join(read_header(path)),
            "Name the columns in its first line",
        )
    pairs: PairList = load_by_name(form.reader)(path, options, form)
    return pairs
