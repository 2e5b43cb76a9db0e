"""The data files that come with the package: the one door to ``data_specs``."""

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from cisdl_bench.errors import SpecError

_SPECS = files("cisdl_bench.data_specs")


@cache
def packaged_text(name: str) -> str:
    """Return the text of a file of ``data_specs``, such as ``sets/paper/rotation.toml``."""
    return _SPECS.joinpath(*name.split("/")).read_text("utf-8")


@cache
def packaged_toml(name: str) -> dict[str, Any]:
    """Return the table of a TOML file of ``data_specs``; callers must not change it.

    Raises:
        SpecError: It is no valid TOML.

    >>> packaged_toml("formats/casia.toml")["pairs"]
    8642
    """
    try:
        return tomllib.loads(packaged_text(name))
    except tomllib.TOMLDecodeError as error:
        where = f"data_specs/{name}"
        raise SpecError.expected(where, "valid TOML", error, "Correct that line") from error


def packaged_path(name: str) -> Path:
    """Return the path of a file of ``data_specs`` that other libraries open by themselves."""
    return Path(str(_SPECS.joinpath(*name.split("/"))))


def packaged_names(folder: str, ending: str = ".toml") -> list[str]:
    """Return the files of a folder of ``data_specs`` and below, without their ending, sorted.

    >>> "casia" in packaged_names("formats"), "release/rotation" in packaged_names("sets")
    (True, True)
    """
    names = []
    for entry in _SPECS.joinpath(*folder.split("/")).iterdir():
        if entry.is_dir():
            below = packaged_names(f"{folder}/{entry.name}", ending)
            names += [f"{entry.name}/{name}" for name in below]
        elif entry.name.endswith(ending):
            names.append(entry.name.removesuffix(ending))
    return sorted(names)
