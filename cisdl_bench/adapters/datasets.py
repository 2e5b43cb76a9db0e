"""Data sets of other people that can be read: what ``cisdl-bench datasets`` lists and checks.

``data_specs/datasets.toml`` has a table for each, named as its format.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from msgspec import Struct, ValidationError, convert
from msgspec.structs import replace as filled

from cisdl_bench.adapters.files import is_file
from cisdl_bench.adapters.find import find_format, find_lists
from cisdl_bench.adapters.formats import ListFormat, list_formats
from cisdl_bench.adapters.listed import PairList
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.usable import (
    classify_reason,
    find_contradictions,
    find_unnamed_pairs,
    find_unusable_pairs,
)
from cisdl_bench.by_name import load_by_name
from cisdl_bench.errors import SourceError, SpecError
from cisdl_bench.packaged import packaged_toml
from cisdl_bench.progress import Progress

_TABLE = "datasets.toml"


class DataSet(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the list.

    Attributes:
        title: Description, a line.
        masks: Pictures of a pair that have a true mask, in words.
        source: Paper that it comes from.
        layout: Folder that is expected, drawn as a tree.
        name: Name of the data set and of its format.
        pairs: Number of its pairs; None where it is not known.
        counted: Noun for what the number counts, such as ``positive pairs``; empty: all pairs.
        licence: Terms of use; empty where its authors' page must be asked.
        get: Address of its authors' page.
        use: Command that scores it, where it needs options of its own.
    """

    title: str
    masks: str
    source: str
    layout: str
    name: str = ""
    pairs: int | None = None
    counted: str = ""
    licence: str = ""
    get: str = ""
    use: str = ""


@dataclass(frozen=True)
class DataSetCheck:
    """What lies in a folder of one data set, or of one of its lists or parts.

    Attributes:
        name: Name that results are filed under.
        path: Folder of the data set, or file of the list.
        pairs: Number of its pairs.
        positive: Number of pairs with label 1.
        negative: Number of pairs with label 0.
        masks: Number of masks whose truth is known, of two a pair.
        missing: Number of files that are named and not there.
        faults: Reasons by the numbers of pairs that cannot be used.
    """

    name: str
    path: str
    pairs: int
    positive: int
    negative: int
    masks: int
    missing: int
    faults: dict[int, str] = field(default_factory=dict)

    @property
    def reasons(self) -> dict[str, int]:
        """Return the number of pairs that cannot be used, by the kind of reason."""
        return dict(Counter(map(classify_reason, self.faults.values())))


def list_data_sets() -> list[DataSet]:
    """Return what can be read.

    Raises:
        SpecError: The packaged table is wrong.

    >>> "biofors" in [data_set.name for data_set in list_data_sets()]
    True
    """
    known = []
    for name, table in packaged_toml(_TABLE).items():
        if not isinstance(table, dict):  # the table's version
            continue
        try:
            known.append(filled(convert(table, DataSet), name=name))
        except ValidationError as error:
            where = f"{_TABLE}: {name}"
            raise SpecError.expected(
                where, "the keys of a data set", f"'{error}'", "Correct it"
            ) from error
    return known


def find_data_set(name: str) -> DataSet:
    """Return the data set of a name.

    Raises:
        SpecError: There is none; the error names the nearest one.
    """
    known = {data_set.name: data_set for data_set in list_data_sets()}
    if name not in known:
        near = get_close_matches(name, known, n=1)
        then = f"Did you mean {near[0]}" if near else "Name one of those"
        raise SpecError.expected("datasets", f"one of {', '.join(known)}", name, then)
    return known[name]


def check_data_set(
    name: str, path: Path, options: ListOptions, progress: Progress
) -> list[DataSetCheck]:
    """Return what lies in a folder of a data set: every file is looked for and decoded.

    Args:
        name: Name of the data set.
        path: Folder of the data set, or a list of it.
        options: Folder of the pictures, and of NIST's reference.
        progress: Receives progress updates and messages.

    Raises:
        SourceError: It is no such data set, or its annotations cannot be read.
    """
    form = next(form for form in list_formats() if form.name == find_data_set(name).name)
    checks = []
    for place in _find_places(form, path.absolute()):
        for part in form.parts or ("",):
            asked = replace(options.absolute(), part=part, skip_unusable=True)  # faults are counted
            listed: PairList = load_by_name(form.reader)(place, asked, form)
            if listed.pairs or not form.parts:
                checks.append(_check_list(listed, progress))
    if not any(check.pairs for check in checks):
        raise SourceError.expected(path, f"pairs of {name}", "none", _then(name))
    return checks


def _find_places(form: ListFormat, path: Path) -> list[Path]:
    """Return the lists of a format, or the folder that it is known by.

    Raises:
        SourceError: There is none.
    """
    if form.folder and path.is_dir():
        lacking = [pattern for pattern in form.folder if not any(path.glob(pattern))]
        if lacking:
            raise SourceError.expected(path, f"files {lacking[0]}", "none", _then(form.name))
        return [path]
    if not path.exists():
        raise SourceError.expected(path, f"a folder of {form.name}", "no such path", "Check it")
    places = [place for place in find_lists(path) if _is_of(place, form)]
    if not places:
        what = f"{'a folder' if form.folder else 'lists'} of {form.name}"
        raise SourceError.expected(path, what, "none", _then(form.name))
    return places


def _is_of(path: Path, form: ListFormat) -> bool:
    known = find_format(path)
    return known is not None and known.name == form.name


def _then(name: str) -> str:
    return f"`cisdl-bench datasets {name}` draws the folder that is expected"


def _check_list(listed: PairList, progress: Progress) -> DataSetCheck:
    files = list(dict.fromkeys(file for pair in listed.pairs for file in pair.files))
    missing = {file: f"{file}: no such file" for file in files if not is_file(file)}
    faults = find_contradictions(listed)
    faults |= find_unusable_pairs(listed, missing, progress)
    faults |= find_unnamed_pairs(listed, skip_unusable=True)
    labels = [pair.label for pair in listed.pairs]
    sides = [(pair.probe, pair.probe_name) for pair in listed.pairs]
    sides += [(pair.donor, pair.donor_name) for pair in listed.pairs]
    not_found = {name for file, name in sides if file is None}
    return DataSetCheck(
        listed.name,
        str(listed.path),
        len(labels),
        labels.count(1),
        labels.count(0),
        sum(sum(pair.known) for pair in listed.pairs),
        len(missing) + len(not_found),
        dict(sorted(faults.items())),
    )
