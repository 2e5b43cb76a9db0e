"""Detectors whose parameters are data: ``data_specs/detectors/NAME.toml``."""

import hashlib
from typing import Any

from cisdl_bench.packaged import packaged_text, packaged_toml


def read_parameters(name: str) -> dict[str, Any]:
    """Return a detector's parameters and its identity, which changes with any of them.

    >>> read_parameters("luo-blocks")["side_px"]
    16
    """
    file = f"detectors/{name}.toml"
    digest = hashlib.sha256(packaged_text(file).encode()).hexdigest()
    return {**packaged_toml(file), "identity": f"{name} {digest[:16]}"}
