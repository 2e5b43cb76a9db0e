"""Figures that other people's programs gave; ``references/README.md`` says which."""

import base64
import csv
import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "references"


def table(name: str, separator: str = ",") -> list[dict[str, str]]:
    """Return the rows of a table."""
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file, delimiter=separator))


@cache
def splice() -> dict[str, Any]:
    """Return NIST's small data set and what its scorer printed."""
    return json.loads((FOLDER / "nist-splice.json").read_text())


def mask_of(name: str) -> np.ndarray:
    """Return one mask of ``splice``, uint8 (H, W), black manipulated."""
    entry = splice()["masks"][name]
    levels = zlib.decompress(base64.b64decode(entry["levels"]))
    return np.frombuffer(levels, dtype=np.uint8).reshape(entry["shape"])


def rows_of(text: str, separator: str = "|") -> list[dict[str, str]]:
    """Return the rows of a table's text."""
    return list(csv.DictReader(text.splitlines(), delimiter=separator))
