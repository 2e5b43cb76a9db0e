"""What is known of other people's formats: ``data_specs/formats/NAME.toml``."""

from typing import Any

from cisdl_bench.packaged import packaged_toml


def format_spec(name: str) -> dict[str, Any]:
    """Return a format's facts.

    >>> format_spec("casia")["pairs"]
    8642
    """
    return packaged_toml(f"formats/{name}.toml")
