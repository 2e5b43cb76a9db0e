"""What is in a set: counts, histograms, and the table of its parameters."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cisdl_bench.store.composite_table import composite_lines
from cisdl_bench.store.opening import open_pairs, open_set

_BINS = 12
RECIPE_MARK = "# cisdl-bench recipe "


def summarise(folder: Path) -> dict[str, Any]:
    """Return a set's manifest without its shards, its size on disk, and histograms.

    ``histograms`` has, for the two areas as shares of the canvas and for each parameter that
    varies, ``edges`` (13 values) and ``counts`` (12).
    """
    pairs = open_pairs(folder)
    manifest = {k: v for k, v in pairs.manifest.items() if k not in ("shards", "spec")}
    canvas = pairs.size**2
    columns = {
        "probe_area_frac": pairs.rows["probe_area_px"] / canvas,
        "donor_area_frac": pairs.rows["donor_area_px"] / canvas,
    }
    columns |= {name: pairs.rows[name] for name in pairs.parameters if "_id_" not in name}
    histograms = {}
    for name, values in columns.items():
        if len(values) and values.min() < values.max():
            counts, edges = np.histogram(values, bins=_BINS)
            histograms[name] = {"edges": edges.tolist(), "counts": counts.tolist()}
    stored = sum(entry["bytes"] for entry in pairs.manifest["shards"])
    return {
        **manifest,
        "size": pairs.size,
        "bytes": stored,
        "shards": len(pairs.manifest["shards"]),
        "histograms": histograms,
    }


def parameter_lines(folder: Path) -> Iterator[str]:
    """Yield the lines of a recipe: a line that says what set it is, then CSV.

    Real numbers are written so that they read back the same to the last bit.
    """
    pairs = open_set(folder)
    head = {
        "spec": pairs.manifest["spec"],
        "difficulty": pairs.manifest["request"]["difficulty"],
        "seed": pairs.manifest["request"]["seed"],
        "source": pairs.manifest["request"]["source"],
        "fingerprint": pairs.manifest["fingerprint"],
        "versions": pairs.manifest["versions"],
    }
    yield RECIPE_MARK + json.dumps(head)
    yield from composite_lines(pairs.rows, tuple(pairs.parameters))
