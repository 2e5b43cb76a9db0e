"""What is known of other people's formats: ``data_specs/formats/NAME.toml``."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def format_spec(name: str) -> dict[str, Any]:
    """Return a format's facts.

    >>> format_spec("casia")["pairs"]
    8642
    """
    text = (files("cisdl_bench.data_specs") / "formats" / f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)
