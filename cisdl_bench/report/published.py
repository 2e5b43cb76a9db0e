"""The paper's own numbers, from ``data_specs/published``."""

import csv
import io
from typing import Any

from cisdl_bench.packaged import packaged_text, packaged_toml


def tables() -> dict[str, Any]:
    """Return the description of the paper's tables: ``source`` and one entry a layout."""
    return packaged_toml("published/tables.toml")


def rows(layout: str) -> list[dict[str, str]]:
    """Return the published rows of a layout, as printed; an empty cell was printed empty.

    >>> rows("paper-4")[2]
    {'method': 'DMAC', 'auc': '0.7542', 'eer': '0.3123'}
    """
    text = packaged_text(f"published/{tables()[layout]['file']}")
    return list(csv.DictReader(io.StringIO(text)))
