"""JSON that every strict parser takes, and that is checked against a shape when it is read."""

import json
import math
import re
from typing import Any

import msgspec

from cisdl_bench.errors import CisdlError

_WORDS = {
    "object missing required field (.*)": r"expected the key \1, got none",
    "invalid enum value (.*)": r"expected a word that is known there, got \1",
}


def json_text(value: Any) -> str:
    r"""Return a value as indented JSON; NaN and infinite numbers become ``null``.

    Bytes of a path that are no UTF-8 come out as escapes: strict parsers refuse lone surrogates.

    >>> json_text({"auc": float("nan")})
    '{\n "auc": null\n}'
    """
    try:
        text = msgspec.json.format(msgspec.json.encode(value), indent=1)
        if text.isascii():
            return text.decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass  # such as numpy's numbers, or half of a surrogate pair
    return json.dumps(_finite(value), indent=1, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_finite(key): _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return value


def decoded(data: bytes, shape: Any, where: object, then: str, error: type[CisdlError]) -> Any:
    """Return the value that JSON holds, checked against a shape.

    Args:
        data: The JSON, UTF-8.
        shape: A type that ``msgspec`` knows: a ``TypedDict``, ``dict[str, int]``, and so on. Keys
            that a ``TypedDict`` does not name are kept and not checked.
        where: The file that an error names.
        then: What to do next, a sentence without its full stop.
        error: Class of the error.

    Raises:
        CisdlError: Of that class: the text is no strict JSON, or a value is not of its type.

    >>> decoded(b'{"rows": "x"}', dict[str, int], "a.json", "Write it again", CisdlError)
    Traceback (most recent call last):
    cisdl_bench.errors.CisdlError: a.json: expected int, got str. Write it again.
    """
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        raise error.expected(where, "JSON", f"'{broken}'", then) from broken
    return conforming(value, shape, where, then, error)


def conforming(value: Any, shape: Any, where: object, then: str, error: type[CisdlError]) -> Any:
    """Return a value of plain Python after checking it against a shape; see ``decoded``.

    Raises:
        CisdlError: Of that class, a value is not of its type.
    """
    try:
        msgspec.convert(value, shape)
    except (msgspec.ValidationError, RecursionError) as wrong:
        raise error(f"{where}: {_said(str(wrong))}. {then}.") from wrong
    return value


def _said(message: str) -> str:
    """Return msgspec's sentence in the form that all of ours have."""
    text, _, path = message.partition(" - at ")
    text = text[:1].lower() + text[1:].replace("`", "")
    for theirs, ours in _WORDS.items():
        text = re.sub(theirs, ours, text)
    path = path.strip("`").removeprefix("$").removeprefix(".")
    path = path.removeprefix("[...]").removeprefix(".")  # of a key that msgspec does not name
    return f"{path}: {text}" if path else text
