"""Tables of TOML, checked key by key against dataclasses whose annotations say what is allowed."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from cisdl_bench.errors import SpecError

Record = TypeVar("Record")

_WORDS = {
    int: "a whole number",
    float: "a finite number",
    str: "a string",
    bool: "true or false",
    dict: "a table",
    tuple: "a list",
    list: "a list",
}


def read_text(path: str, what: str) -> str:
    """Return the text of a user's TOML file.

    Args:
        path: Path of the file.
        what: Noun for the content, such as ``experiment``.

    Raises:
        SpecError: The file cannot be read.
    """
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        then = f"Give the path of your {what}"
        raise SpecError.expected(path, "a readable TOML file", error, then) from error


def decode_toml(text: str, where: str) -> dict[str, Any]:
    """Return the table of a TOML text.

    Raises:
        SpecError: It is no valid TOML.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpecError.expected(where, "valid TOML", error, "Correct that line") from error


def as_record(table: object, record: type[Record], where: str) -> Record:
    """Return a table as a dataclass, after checking every key and value.

    A field's annotation says what it may hold: ``Annotated[int, Meta(ge=1, le=100)]``, a
    ``Literal``, another dataclass (a table of its own), or a plain type. A ``description`` in the
    ``Meta`` replaces the range in the error.

    Args:
        table: Values by key, as TOML gives them.
        record: Dataclass that is returned.
        where: File and table that an error names.

    Raises:
        SpecError: A key is unknown or missing, or a value is not allowed.
    """
    if not isinstance(table, dict):
        raise SpecError.expected(where, "a table", repr(table), "Correct the spec")
    known = {field.name: field for field in fields(record)}  # type: ignore[arg-type]
    refuse_unknown(table, known, where)
    hints = get_type_hints(record, include_extras=True)
    values = {}
    for name, field in known.items():
        if name in table:
            values[name] = _value(table[name], hints[name], f"{where}: {name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise SpecError.expected(where, f"the key {name}", "none", f"Add {name}")
    return record(**values)


def _value(value: Any, hint: Any, where: str) -> Any:
    inner = [kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)]
    if inner:
        return as_record(value, inner[0], where)  # type: ignore[arg-type]
    if get_origin(hint) is dict and isinstance(value, dict):
        kind = get_args(hint)[1]
        return {name: _value(one, kind, f"{where}: {name}") for name, one in value.items()}
    try:
        converted = msgspec.convert(value, hint)
        finite = not isinstance(converted, float) or math.isfinite(converted)
    except msgspec.ValidationError:
        finite = False
    if not finite:
        raise SpecError.expected(
            where, _expected(hint, value), repr(value)[:60], "Correct the spec"
        )
    return converted


def _expected(hint: Any, value: Any) -> str:
    """Return in words what an annotation allows, with the type where the value is of another.

    >>> _expected(Annotated[int, msgspec.Meta(ge=1, le=9)], "x")
    'a whole number, 1 to 9'
    """
    words = _allowed(hint)
    kind = next((one for one in (hint, *get_args(hint)) if one in (int, float)), None)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    whole = kind is not int or isinstance(value, int)
    return words if kind is None or (number and whole) else f"{_WORDS[kind]}, {words}"


def _allowed(hint: Any) -> str:
    """Return in words what an annotation allows.

    >>> _allowed(Annotated[int, msgspec.Meta(ge=1, le=1000)]), _allowed(Literal["above", "below"])
    ('1 to 1,000', 'above or below')
    """
    if get_origin(hint) is Annotated:
        kind, meta, *_ = get_args(hint)
        if meta.description:
            return str(meta.description)
        ends = (meta.ge if meta.ge is not None else meta.gt, meta.le)
        if None not in ends:
            above = "above " if meta.gt is not None else ""
            return f"{above}{ends[0]:,} to {ends[1]:,}"
        return _allowed(kind)
    if get_origin(hint) in (list, tuple):
        items = [_allowed(kind) for kind in get_args(hint) if kind is not Ellipsis]
        return f"a list of {', '.join(items)}" if items else _WORDS[tuple]
    if get_origin(hint) is Literal:
        *some, last = map(str, get_args(hint))
        return f"{', '.join(some)} or {last}" if some else last
    kinds = [kind for kind in (get_args(hint) or (hint,)) if kind is not type(None)]
    kind = get_origin(hint) if get_origin(hint) in _WORDS else kinds[0]
    return _allowed(kind) if get_origin(kind) is Annotated else _WORDS.get(kind, str(kind))


def refuse_unknown(table: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    """Refuse keys that are not known.

    Raises:
        SpecError: There is one; the error names the nearest known key.
    """
    for name in table:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            then = f"Did you mean {near[0]}" if near else "Remove it"
            raise SpecError.expected(where, f"keys out of {', '.join(known)}", name, then)


def require(ok: bool, where: str, what: str, got: object) -> None:
    """Refuse a value of a spec that its annotation alone cannot.

    Raises:
        SpecError: It is not ok.
    """
    if not ok:
        raise SpecError.expected(where, what, got, "Correct the spec")
