"""Reading a JSON file of several hundred megabytes one list entry at a time.

Python's own decoder works on a sliding window of the text. ijson's C backend takes 1.7 times as
long for one list and a pass of its own for each further one, and like msgspec it refuses the NaN
that ``json.dump`` writes, which here is one annotation's fault, not the file's.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cisdl_bench.errors import SourceError, cause, next_step

_CHUNK = 1 << 24
_LONGEST_STRING = 1 << 20
_SPACE = " \t\r\n"


class _Text:
    """A window over the file's text that grows and slides as values are taken from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open(encoding="utf-8")
        except OSError as error:
            raise SourceError.expected(
                path, "a JSON file", cause(error), next_step(error, "Check the path")
            ) from error
        self._decode = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._passed = 0

    def close(self) -> None:
        self._file.close()

    def _grow(self) -> bool:
        try:
            more = self._file.read(_CHUNK)
        except UnicodeDecodeError as error:
            raise self.broken(str(error)) from error
        self._passed += self._at
        self._text = self._text[self._at :] + more
        self._at = 0
        return bool(more)

    def broken(self, got: str) -> SourceError:
        return SourceError(
            f"{self.path}: expected JSON in COCO's instances layout, got {got} near character "
            f"{self._passed + self._at}. Fetch or export the file again."
        )

    def peek(self) -> str:
        """Return the next character that is not white space, '' at the end."""
        while True:
            text, at = self._text, self._at
            while at < len(text) and text[at] in _SPACE:
                at += 1
            self._at = at
            if at < len(text):
                return text[at]
            if not self._grow():
                return ""

    def take(self, allowed: str) -> str:
        """Return the next character, one of those allowed, and step past it."""
        character = self.peek()
        if not character or character not in allowed:
            got = repr(character) if character else "the end of the file"
            raise self.broken(f"{got} where {' or '.join(allowed)} belongs")
        self._at += 1
        return character

    def value(self) -> Any:
        """Return the next value, whatever it is, and step past it."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except (ValueError, RecursionError) as error:  # also numbers of 4,300 digits
                at = getattr(error, "pos", self._at)
                # An error close to the window's end may only be a value cut off there.
                if len(self._text) - at > _LONGEST_STRING or not self._grow():
                    self._at = min(at, len(self._text))
                    raise self.broken(str(error).split(":")[0].lower()) from error
                continue
            # A number at the window's very end may go on behind it.
            if end == len(self._text) and self._text[-1] not in '}]"' and self._grow():
                continue
            self._at = end
            return value


def stream_lists(path: Path, handlers: dict[str, Callable[[Any], None]]) -> dict[str, Any]:
    """Call a function with every entry of the named lists of a JSON object, in file order.

    Args:
        path: File that holds one JSON object.
        handlers: Functions by key of the object; each is called with every entry of its list.

    Returns:
        The object's other keys and values.

    Raises:
        SourceError: It is not JSON, not an object, or a named list is missing or no list.
    """
    rest: dict[str, Any] = {}
    seen = set()
    text = _Text(path)
    try:
        text.take("{")
        if text.peek() == "}":
            text.take("}")
        else:
            while True:
                key = text.value()
                if not isinstance(key, str):
                    raise text.broken(f"the key {str(key)[:40]!r}")
                text.take(":")
                if key in handlers:
                    seen.add(key)
                    _read_entries(text, handlers[key])
                else:
                    rest[key] = text.value()
                if text.take(",}") == "}":
                    break
        if text.peek():
            raise text.broken("more text after the object")
    finally:
        text.close()
    for key in handlers:
        if key not in seen:
            raise SourceError.expected(
                path, f"a list {key!r}", "none", "Use a file of COCO's instances layout"
            )
    return rest


def _read_entries(text: _Text, handle: Callable[[Any], None]) -> None:
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        handle(text.value())
        if text.take(",]") == "]":
            return
