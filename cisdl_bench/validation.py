"""Checking tables of TOML key by key against frozen records."""

import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from typing import Any

from cisdl_bench.errors import SpecError


def record_values(
    table: Mapping[str, Any], record: type, where: str, apart: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the values of a record's fields, each of the field's type.

    Args:
        table: What the TOML says.
        record: A dataclass.
        where: What an error names.
        apart: Fields that are checked elsewhere.

    Raises:
        SpecError: A key is unknown or missing, or a value is of another type.
    """
    only(table, tuple(field.name for field in fields(record)), where)
    known = {field.name: field for field in fields(record) if field.name not in apart}
    values = {}
    for name, field in known.items():
        if name not in table:
            if field.default is MISSING:
                raise SpecError.expected(where, f"the key {name}", "none", f"Add {name}")
            continue
        values[name] = _typed(table[name], str(field.type), f"{where}: {name}")
    return values


def _typed(value: Any, kind: str, where: str) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if "float" in kind and "dict" not in kind and "tuple" not in kind:
        ok = number and abs(value) <= sys.float_info.max  # not NaN, not infinite
        require(ok, where, "a finite number", repr(value)[:40])
        return float(value)
    if "int" in kind:
        ok = number and isinstance(value, int) and abs(value) < 2**62
        require(ok, where, "a whole number", repr(value)[:40])
        return value
    for word, allowed in (("bool", bool), ("dict", dict), ("tuple", list), ("str", str)):
        if word in kind:
            require(isinstance(value, allowed), where, f"a {allowed.__name__}", repr(value))
            return value
    raise AssertionError(kind)


def only(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    """Refuse keys that are not known.

    Raises:
        SpecError: There is one.
    """
    for name in table:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            then = f"Did you mean {near[0]}" if near else "Remove it"
            raise SpecError.expected(where, f"keys out of {', '.join(known)}", name, then)


def require(ok: bool, where: str, what: str, got: object) -> None:
    """Refuse a value of a spec.

    Raises:
        SpecError: It is not ok.
    """
    if not ok:
        raise SpecError.expected(where, what, got, "Correct the spec")
