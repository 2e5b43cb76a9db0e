"""What a machine has that matters here: for bug reports, and before a long run."""

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from re import match
from typing import Any

import joblib

from cisdl_bench.sources.find import ENVIRONMENT

_SPLITS = ("train2014", "val2014")
#: Where `cisdl-bench fetch` puts things, below the folder that it is typed in.
_COCO, _VGG = Path("coco2014"), Path("vgg16/vgg16-397923af.pth")


def surroundings() -> dict[str, dict[str, Any]]:
    """Return versions, devices, and where COCO 2014 and weights are found, by heading and name.

    None stands for what is not there.
    """
    return {"versions": _versions(), "machine": _machine(), "data": _data()}


def _versions() -> dict[str, Any]:
    found: dict[str, Any] = {"python": platform.python_version()}
    names = ["cisdl-bench"]
    for line in requires("cisdl-bench") or []:
        word = match(r"[A-Za-z0-9_.-]+", line)
        if word and ("extra ==" not in line or word.group() == "distributed"):
            names.append(word.group())
    for name in dict.fromkeys(names):
        found[name] = None
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


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
    root = Path(named) if named else _COCO
    found: dict[str, Any] = {ENVIRONMENT: named}
    for split in _SPLITS:
        there = (root / split).is_dir() and (
            root / "annotations" / f"instances_{split}.json"
        ).is_file()
        found[f"COCO {split}"] = str(root / split) if there else None
    found["VGG-16 weights"] = str(_VGG) if _VGG.is_file() else None
    return found
