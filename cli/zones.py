"""The option that names NIST's no-score zones."""

from typing import Any

import click


def zones(ctx: click.Context, param: click.Parameter, value: Any) -> tuple[int, int]:
    """Return the two sides that ``nist``, ``none`` or a text such as ``15,11`` stands for.

    Raises:
        click.BadParameter: It is none of these.
    """
    from cisdl_bench.adapters.formats import format_spec

    spec = format_spec("mfc")
    words = {"nist": f"{spec['erode_px']},{spec['dilate_px']}", "none": "0,0"}
    sides = words.get(value, value).split(",")
    if len(sides) != 2 or not all(s.isdecimal() and (s == "0" or int(s) % 2) for s in sides):
        raise click.BadParameter(f"{value!r} is not nist, none, or two odd sides such as 15,11.")
    return int(sides[0]), int(sides[1])
