"""One annotation's ``segmentation``: polygons, or run lengths plain or compressed."""

from typing import Any

NOT_FILLED = "RLE does not fill its picture"


def whole(value: Any) -> int | None:
    """Return a number that is whole and has 64 bits at most; None of anything else.

    >>> whole(7.0), whole(0.5), whole(float("inf")), whole(2**70), whole(True)
    (7, None, None, None, None)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62
    return value if fits else None


def read_polygons(shape: Any) -> tuple[list[list[float]], str]:
    """Return the polygons (x and y in turn) of three points or more, or why there are none."""
    parts = [part for part in shape if len(part) >= 6 and len(part) % 2 == 0]
    if parts:
        return parts, ""
    return [], "polygon of fewer than three points" if shape else "no outline"


def read_run_lengths(shape: dict[str, Any]) -> tuple[list[list[float]], str]:
    """Return one part: width, height, then runs of outside and inside in columns; or why not.

    Raises:
        ValueError: A size or a run is no whole number.
    """
    height, width = map(whole, shape["size"])
    counts = shape["counts"]
    runs = unpack_run_lengths(counts) if isinstance(counts, str) else [whole(run) for run in counts]
    if height is None or width is None or None in runs:
        raise ValueError("a size or a run is no whole number")
    lengths: list[Any] = runs
    if min(height, width) < 1 or sum(lengths) != height * width or min(lengths, default=0) < 0:
        return [], NOT_FILLED
    return [[width, height, *lengths, *([0] * (len(lengths) % 2))]], ""


def unpack_run_lengths(text: str) -> list[int]:
    """Return the run lengths of pycocotools' compressed form, without making room for a mask.

    Five bits a character from 48 on, the sixth says that more follow, the last one's fifth is the
    sign; from the fourth number on, each is a difference from the last but one.

    Raises:
        ValueError: A character is none of those, or the text ends within a number.

    >>> unpack_run_lengths("4:3")
    [4, 10, 3]
    """
    runs: list[int] = []
    value = bits = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64:
            raise ValueError(f"a run of {character!r}")
        value |= (code & 31) << bits
        bits += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << bits
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = bits = 0
    if bits:
        raise ValueError("a run that is cut short")
    return runs
