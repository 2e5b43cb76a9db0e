"""Results of scoring that nothing was scored for: rows of a quality that the test chooses."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cisdl_bench.hashing import hash_file
from cisdl_bench.metrics.summary import summarise
from cisdl_bench.scoring.rows import read_rows, row_columns

_PX, _REGION = 65_536, 1_000


def write_run(
    folder: Path,
    quality: Mapping[str, float],
    *,
    pairs: int = 20,
    negatives: int = 0,
    fingerprint: str = "",
    resamples: int = 200,
    parameters: tuple[str, ...] = ("rotation_deg", "scale"),
) -> Path:
    """Write a run of one method; each pair's IoU is near the set's quality.

    Args:
        folder: Folder of the run; its name is the method's.
        quality: Mean IoU of each set.
        pairs: Number of pairs of each set.
        negatives: Number of those that are negative.
        fingerprint: Fingerprint of all sets; empty: one for each name.
        resamples: Number of bootstrap resamples.
        parameters: Columns of parameters.
    """
    for name, value in quality.items():
        rng = np.random.default_rng(zlib.crc32(f"{folder.name}/{name}".encode()))
        path = folder / name
        path.mkdir(parents=True)
        table = _make_rows(rng, value, pairs, negatives, parameters)
        if "-" in name:
            table["difficulty"] = name.rpartition("-")[2]
        table.to_csv(path / "pairs.csv", index=False)
        summary = summarise(read_rows(path / "pairs.csv").scored_pairs(), resamples=resamples)
        record = {
            "format": "cisdl-bench result",
            "complete": True,
            "request": {
                "detector": folder.name,
                "identity": f"{zlib.crc32(folder.name.encode()):064x}",
                "set": name,
                "fingerprint": fingerprint or f"{zlib.crc32(name.encode()):064x}",
                "size": 256,
                "perturbation": "",
                "perturb_donor": False,
                "threshold": 0.5,
            },
            "rows_sha256": hash_file(path / "pairs.csv"),
            "summary": {k: None if v != v else v for k, v in summary.items()},
            "about": {},
            "data": {"notes": []},
            "origin": {"path": f"/data/{name}"},
            "settings": {},
            "device": "cpu",
            "processes": 1,
            "pairs_per_second": 10.0,
            "versions": {"cisdl-bench": "0.1.0"},
            "finished": "2026-11-26T08:30:00+00:00",
        }
        (path / "result.json").write_text(json.dumps(record))
    return folder


def _make_rows(
    rng: np.random.Generator,
    value: float,
    pairs: int,
    negatives: int,
    parameters: tuple[str, ...],
) -> pd.DataFrame:
    label = (np.arange(pairs) >= negatives).astype(int)
    share = np.clip(value + rng.normal(0, 0.08, pairs), 0, 1) * label
    columns: dict[str, object] = {"index": np.arange(pairs), "label": label}
    columns["kind"] = np.where(label == 1, "foreground", "negative")
    for side in ("probe", "donor"):
        found = (share * _REGION).round().astype(int)
        columns |= {f"{side}_known": 1, f"{side}_tp": found, f"{side}_fp": 0}
        columns |= {f"{side}_fn": (_REGION * label) - found, f"{side}_tn": _PX - _REGION * label}
        noise = rng.normal(0, 0.25, pairs)
        columns[f"{side}_inside"] = np.clip(share + 0.2 * label + noise, 0, 1).round(4)
        columns[f"{side}_area_px"] = rng.integers(700, 30_000, pairs)
    columns["moved_px"] = rng.uniform(0, 150, pairs).round(2)
    columns |= {name: rng.uniform(0.5, 2, pairs).round(3) for name in parameters}
    wanted = row_columns(parameters)
    blank = {int: 0, float: "", str: ""}
    filled = {name: columns.get(name, blank[kind]) for name, kind in wanted.items()}
    return pd.DataFrame(filled, index=range(pairs))
