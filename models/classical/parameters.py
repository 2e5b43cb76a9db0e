"""Detectors whose parameters are data: ``data_specs/detectors/NAME.toml``."""

import hashlib
import tomllib
from importlib.resources import files
from typing import Any


def read_parameters(name: str) -> dict[str, Any]:
    """Return a detector's parameters and its identity, which changes with any of them.

    >>> read_parameters("luo-blocks")["side_px"]
    16
    """
    text = (files("cisdl_bench.data_specs") / "detectors" / f"{name}.toml").read_text("utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {**tomllib.loads(text), "identity": f"{name} {digest[:16]}"}
