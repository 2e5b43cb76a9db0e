"""The paper's own numbers, from ``data_specs/published``."""

import csv
import io
import tomllib
from importlib.resources import files
from typing import Any

_FOLDER = files("cisdl_bench.data_specs") / "published"


def tables() -> dict[str, Any]:
    """Return the description of the paper's tables: ``source`` and one entry a layout."""
    return tomllib.loads((_FOLDER / "tables.toml").read_text("utf-8"))


def rows(layout: str) -> list[dict[str, str]]:
    """Return the published rows of a layout, as printed; an empty cell was printed empty.

    >>> rows("paper-4")[2]
    {'method': 'DMAC', 'auc': '0.7542', 'eer': '0.3123'}
    """
    text = (_FOLDER / tables()[layout]["file"]).read_text("utf-8")
    return list(csv.DictReader(io.StringIO(text)))
