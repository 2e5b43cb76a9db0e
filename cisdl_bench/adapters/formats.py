"""Formats of lists and of predictions: ``data_specs/formats/NAME.toml``, one file a format.

The columns of a list or of a file of predictions say which format it is of; a data set without a
list is known by what lies in its folder. The table ``[list]`` of a format's file names the columns
or the patterns and, where ``table_list`` cannot read them, a reader; ``[predictions]`` does the
same for scores and masks of other programs. Both are optional.
"""

from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, ValidationError, convert
from msgspec.structs import replace

from cisdl_bench.errors import SpecError
from cisdl_bench.packaged import packaged_names, packaged_toml


class ListFormat(Struct, frozen=True, forbid_unknown_fields=True):
    """How lists of a format look, and what reads them.

    Attributes:
        columns: Columns by which a list of the format is known; all of them are required. A data
            set that is known by its folder has none.
        folder: Patterns below a data set's folder by which it is known; each must fit a file.
        parts: Parts of a data set that are scored one at a time, such as categories.
        name: Name of the format's file, such as ``casia``.
        facts: Everything that the format's file says.
        reader: Function ``(path, options, form) -> PairList`` as ``module:name``.
        pairs: Class of the pairs as ``module:name``, a subclass of ``ListedPairs``.
        glob: Pattern of the format's lists below the folder of a data set.
        probe: Column of the probe's file.
        donor: Column of the donor's file.
        label: Column of the label: 1, 0 or nothing.
        probe_mask: Column of the file of the probe's mask.
        donor_mask: Column of the file of the donor's mask.
        masks: Rule that says which pixels of a mask are tampered, of ``masks.RULES``.
        canvas: Rule that brings pictures and masks to the canvas, of ``canvas.RULES``.
    """

    columns: tuple[str, ...] = ()
    folder: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    name: str = ""
    facts: dict[str, Any] = {}
    reader: str = "cisdl_bench.adapters.table_list:read_table_list"
    pairs: str = "cisdl_bench.adapters.pairs:ListedPairs"
    glob: str = ""
    probe: str = "probe"
    donor: str = "donor"
    label: str = "label"
    probe_mask: str = "probe_mask"
    donor_mask: str = "donor_mask"
    masks: str = "white"
    canvas: str = "area"


class PredictionFormat(Struct, frozen=True, forbid_unknown_fields=True):
    """How predictions of a format look, and what reads them.

    Attributes:
        columns: Columns by which predictions of the format are known.
        name: Name of the format's file, such as ``mfc``.
        facts: Everything that the format's file says.
        reader: Function ``(path, form) -> list[Prediction]`` as ``module:name``.
        dark: Whether black is manipulated in the masks, not white.
    """

    columns: tuple[str, ...]
    reader: str
    name: str = ""
    facts: dict[str, Any] = {}
    dark: bool = False


Form = TypeVar("Form", ListFormat, PredictionFormat)


def format_spec(name: str) -> dict[str, Any]:
    """Return what a format's file says.

    >>> format_spec("casia")["pairs"]
    8642
    """
    return packaged_toml(f"formats/{name}.toml")


def list_formats() -> list[ListFormat]:
    """Return the formats of lists, those with the most columns first.

    Raises:
        SpecError: A format's file is wrong.

    >>> [form.name for form in list_formats() if form.name in ("casia", "mfc", "plain")]
    ['mfc', 'casia', 'plain']
    """
    return _read_tables("list", ListFormat)


def list_format(columns: set[str]) -> ListFormat | None:
    """Return the format of a list with these columns, lower case; None where there is none."""
    return _first_fitting(list_formats(), columns)


def folder_format(path: Path) -> ListFormat | None:
    """Return the format of the data set in a folder, None where there is none."""
    if not path.is_dir():
        return None
    known = (form for form in list_formats() if form.folder)
    return next((form for form in known if _fits(path, form.folder)), None)


def _fits(path: Path, patterns: tuple[str, ...]) -> bool:
    return all(next(path.glob(pattern), None) is not None for pattern in patterns)


def prediction_format(columns: set[str]) -> PredictionFormat | None:
    """Return the format of predictions with these columns, lower case; None for the plain one."""
    return _first_fitting(_read_tables("predictions", PredictionFormat), columns)


def _read_tables(table: str, kind: type[Form]) -> list[Form]:
    known: list[Form] = []
    for name in packaged_names("formats"):
        facts = format_spec(name)
        if table not in facts:
            continue
        try:
            form = convert(facts[table], kind)
        except ValidationError as error:
            where, what = f"formats/{name}.toml: {table}", "the keys of a format"
            raise SpecError.expected(where, what, f"'{error}'", "Correct the file") from error
        known.append(replace(form, name=name, facts=facts))
    return sorted(known, key=lambda form: -len(form.columns))


def _first_fitting(known: list[Form], columns: set[str]) -> Form | None:
    named = (form for form in known if form.columns)
    return next((f for f in named if columns >= {name.lower() for name in f.columns}), None)
