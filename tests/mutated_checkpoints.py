"""Checkpoints changed at random, in their bytes and in what they hold, from a seed."""

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from cisdl_bench.errors import CisdlError
from cisdl_bench.models.checkpoints.checkpoint import save_checkpoint
from cisdl_bench.models.checkpoints.keras import LAYERS
from cisdl_bench.models.find import find_detector
from cisdl_bench.models.networks.registry import build

_VALUES: list[Callable[[], Any]] = [
    lambda: None,
    lambda: True,
    lambda: -1,
    lambda: 2**70,
    lambda: float("nan"),
    lambda: float("inf"),
    lambda: 1e-300,
    lambda: "",
    lambda: "x" * 3000,
    lambda: "a\nb\0",
    lambda: "dmvn-bn",
    lambda: [],
    lambda: [[[]]],
    lambda: {},
    lambda: {"width": 1e9},
    lambda: {1: 2},
    lambda: torch.zeros(0),
    lambda: torch.tensor(3),
    lambda: torch.full((3, 3), torch.nan),
    lambda: torch.ones(4).expand(10**9, 10**9, 4),
    lambda: torch.eye(3).to_sparse(),
    lambda: torch.eye(3).to_sparse_csr(),
    lambda: torch.ones(2, dtype=torch.complex64),
    lambda: torch.ones(2, dtype=torch.float8_e5m2),
    lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
    lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    lambda: torch.ones(2, device="meta"),
    lambda: torch.nn.Parameter(torch.ones(2)),
]


def originals(folder: Path) -> list[Path]:
    """Write sound checkpoints of a narrow network, and a Keras file of DMVN's names."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    network = build("dmac", configuration={"width": 0.02})
    paths = [folder / f"ours{ending}" for ending in (".pt", ".safetensors")]
    for path in paths:
        save_checkpoint(path, network, {"epochs": 3, "request": {"seed": 0}})
    old = folder / "old.pth"
    content = torch.load(paths[0], weights_only=True)
    torch.save(content, old, _use_new_zipfile_serialization=False)
    published = folder / "published.pth"
    keys = {"module.base.0.weight": torch.ones(64, 3, 3, 3), "base.0.bias": torch.ones(64)}
    torch.save({"state_dict": keys, "epoch": 3}, published)
    keras = folder / "dmvn.h5"
    with h5py.File(keras, "w") as file:
        group = file.create_group("layer")
        names = [f"{layer}_{kind}" for layer in list(LAYERS)[:6] for kind in "Wb"]
        for name in names:
            group[name] = np.ones((2, 2, 1, 1) if name.endswith("W") else 2, dtype=np.float32)
        # Of one length, as Keras 1.2 wrote them: HDF5 itself never ends on a damaged global heap,
        # where strings of any length lie.
        group.attrs["weight_names"] = np.array([name.encode() for name in names])
    script = folder / "script.pt"
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(script))
    return [*paths, old, published, keras, script]


def mutate(original: Path, target: Path, rng: random.Random) -> str:
    """Write a changed copy of a checkpoint; return what was changed."""
    if rng.random() < 0.5 or original.name == "script.pt":
        return _bytes(original, target, rng)
    if original.suffix == ".safetensors":
        return _header(original, target, rng)
    if original.suffix == ".h5":
        return _hdf5(original, target, rng)
    return _content(original, target, rng)


def _bytes(original: Path, target: Path, rng: random.Random) -> str:
    data = bytearray(original.read_bytes())
    # The names and types stand at the beginning and at the end.
    ends = rng.choice([len(data), 4096, -4096])
    at = (
        rng.randrange(len(data) + ends, len(data))
        if ends < 0
        else rng.randrange(min(ends, len(data)))
    )
    kind = rng.choice(["flip", "cut", "zero", "drop", "insert"])
    if kind == "flip":
        for _ in range(rng.choice([1, 1, 20])):
            data[(at + rng.randrange(64)) % len(data)] = rng.randrange(256)
    elif kind == "cut":
        del data[at:]
    elif kind == "zero":
        n = min(rng.randrange(1, 200), len(data) - at)
        data[at : at + n] = bytes(n)
    elif kind == "drop":
        del data[at : at + rng.randrange(1, 50)]
    else:
        data[at:at] = rng.randbytes(rng.randrange(1, 50))
    target.write_bytes(bytes(data))
    return f"{kind} at {at}"


def _content(original: Path, target: Path, rng: random.Random) -> str:
    content = torch.load(original, weights_only=True)
    inner = rng.choice([content, *(v for v in content.values() if isinstance(v, dict) and v)])
    key, value = rng.choice(list(inner)), rng.choice(_VALUES)()
    kind = rng.choice(["replace", "replace", "remove", "add", "number", "fill"])
    if kind == "replace":
        inner[key] = value
    elif kind == "remove":
        del inner[key]
    elif kind == "add":
        inner[rng.choice(["x", "", "module.x", "a\nb"])] = value
    elif kind == "number":
        inner[rng.choice([0, 1.5, None, True, (1, 2)])] = value
    elif isinstance(inner[key], torch.Tensor) and inner[key].is_floating_point():
        inner[key] = torch.full_like(inner[key], rng.choice([torch.nan, torch.inf, -1.0, 1e30]))
    torch.save(content, target)
    return f"{kind} {key!r} {type(value)!s}"


def _header(original: Path, target: Path, rng: random.Random) -> str:
    data = original.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    about = json.loads(header["__metadata__"]["cisdl-bench"])
    plain = [None, 1, -1, "x", [], {}, {"width": 7}, 1e308, "dmvn", True, 2**70]
    key = rng.choice(list(about))
    if rng.random() < 0.5:
        about[key] = rng.choice(plain)
    else:
        name = rng.choice(list(header))
        if isinstance(header[name], dict):
            header[name][rng.choice(list(header[name]))] = rng.choice(plain)
    text = rng.choice([json.dumps(about), "{", "[]", "NaN", "\ud800", json.dumps(about)])
    if isinstance(header.get("__metadata__"), dict):
        header["__metadata__"]["cisdl-bench"] = text
    new = json.dumps(header).encode()
    target.write_bytes(len(new).to_bytes(8, "little") + new + data[8 + length :])
    return f"header {key}"


def _hdf5(original: Path, target: Path, rng: random.Random) -> str:
    target.write_bytes(original.read_bytes())
    kind = rng.choice(["names", "type", "external", "soft", "group", "virtual", "huge", "empty"])
    with h5py.File(target, "a") as file:
        group = file["layer"]
        name = rng.choice(list(group))
        if kind == "names":
            odd = [3, "x", [1, 2], [b"a_W", b"\xff"], np.zeros((2, 2)), h5py.Empty("f")]
            group.attrs["weight_names"] = rng.choice(odd)
            return kind
        del group[name]
        if kind == "type":
            odd = [b"text", np.zeros(3, dtype="c8"), np.zeros(2, dtype=[("a", "i4")]), "x", True]
            group[name] = rng.choice(odd)
        elif kind == "external":
            group[name] = h5py.ExternalLink("/etc/passwd", "/x")
        elif kind == "soft":
            group[name] = h5py.SoftLink("/layer")
        elif kind == "group":
            group.create_group(name)
        elif kind == "virtual":
            layout = h5py.VirtualLayout((2,), "f4")
            layout[:] = h5py.VirtualSource("other.h5", "x", (2,))
            group.create_virtual_dataset(name, layout)
        elif kind == "huge":
            group.create_dataset(name, (10**6, 10**6), "f4", chunks=(100, 100))
        else:
            group[name] = h5py.Empty("f4")
    return f"{kind} {name}"


def campaign(count: int, seed: int, folder: Path) -> tuple[Counter[str], dict[str, str]]:
    """Read mutated checkpoints; return how they ended, and the first of each other exception."""
    rng, ended, wrong = random.Random(seed), Counter[str](), {}
    paths = originals(folder / "whole")
    for number in range(count):
        original = rng.choice(paths)
        target = folder / original.name
        what = mutate(original, target, rng)
        try:
            find_detector(str(target))
            ended["accepted"] += 1
        except CisdlError as error:
            lines = str(error).splitlines()
            ended["refused" if len(lines) == 1 else "more than one line"] += 1
            if len(lines) > 1:
                wrong.setdefault("lines", f"{number}: {original.name}, {what}: {error}")
        except Exception as error:  # what is looked for
            kind = f"{type(error).__name__}"
            ended[kind] += 1
            wrong.setdefault(kind, f"{number}: {original.name}, {what}: {error}")
    return ended, wrong
