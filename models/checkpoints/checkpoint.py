"""Checkpoints: written with what they are, read without executing anything.

Ours, ``.pt`` or ``.safetensors``, carry the architecture, its configuration, the training record
and the versions. Read are also the DMAC authors' bare state dicts and DMVN's Keras file.
"""

import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cisdl_bench import __version__
from cisdl_bench.errors import ModelError
from cisdl_bench.hashing import hash_file
from cisdl_bench.models.checkpoints.content import (
    FORMAT,
    LAYOUT,
    Content,
    check_tensor,
    read_content,
    show_key,
)
from cisdl_bench.models.checkpoints.keras import read_dmvn
from cisdl_bench.models.networks.registry import build
from cisdl_bench.store.atomic import write_whole
from cisdl_bench.strict_json import decoded

_KEY = "cisdl-bench"


@dataclass(frozen=True)
class Checkpoint:
    """A network with its weights, in evaluation mode, and where it comes from.

    Attributes:
        network: Network of ``models.networks``.
        sha256: SHA-256 of the file.
        about: Architecture, configuration, training record and versions.
        note: Entries of the file that were left unread or renamed; empty where none were.
    """

    network: nn.Module
    sha256: str
    about: dict[str, Any] = field(default_factory=dict)
    note: str = ""


def save_checkpoint(
    path: Path, network: nn.Module, training: dict[str, Any], *, half: bool = False
) -> None:
    """Write a network's weights, whole or not at all; the ending says the format.

    Args:
        path: File of the checkpoint, ``.pt`` or ``.safetensors``.
        network: Network of ``models.networks``.
        training: Training record, of values that JSON has.
        half: Whether weights are rounded to float16, see ``round_to_half``.

    Raises:
        ModelError: The ending is another one, or a weight is too large for float16.
        StoreError: The file cannot be written.
    """
    about = make_about(network, training)
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    if half:
        state = round_to_half(state, path)
    write_checkpoint(path, about, state)


def write_checkpoint(path: Path, about: dict[str, Any], state: Mapping[str, Tensor]) -> None:
    """Write tensors with what they are, whole or not at all; see ``save_checkpoint``.

    Args:
        path: File of the checkpoint, ``.pt`` or ``.safetensors``.
        about: Content of ``make_about``.
        state: Tensors by name.

    Raises:
        ModelError: The ending is another one.
        StoreError: The file cannot be written.
    """
    if path.suffix == ".pt":
        buffer = io.BytesIO()
        torch.save({**about, "state": dict(state)}, buffer)
        with buffer.getbuffer() as content:
            write_whole(path, content)
    elif path.suffix == ".safetensors":
        from safetensors.torch import save

        write_whole(path, save(dict(state), {_KEY: json.dumps(about)}))
    else:
        raise ModelError.expected(
            path, "a name that ends in .pt or .safetensors", path.name, "Rename it"
        )


def make_about(network: nn.Module, training: dict[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint says of itself beside its tensors."""
    return {
        "format": FORMAT,
        "layout": LAYOUT,
        "architecture": network.architecture,
        "configuration": getattr(network, "configuration", {}),
        "training": training,
        "versions": {
            "cisdl-bench": __version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
    }


def round_to_half(state: Mapping[str, Tensor], where: object) -> dict[str, Tensor]:
    """Return a state dict with weights of two and more dimensions in float16.

    What has one dimension stays: biases are small, and running variances may exceed float16.

    Args:
        state: Tensors by name.
        where: File that an error names.

    Raises:
        ModelError: A weight is not finite in float16.
    """
    rounded = {}
    for name, value in state.items():
        if value.dtype == torch.float32 and value.dim() > 1:
            half = value.half()
            if not half.isfinite().all():
                largest = f"{float(value.abs().max()):g}"
                raise ModelError.expected(
                    f"{where}: {name}", "numbers of float16", largest, "Keep float32"
                )
            rounded[name] = half
        else:
            rounded[name] = value
    return rounded


def load_checkpoint(path: Path, program: nn.Module | None = None) -> Checkpoint:
    """Return the network of a checkpoint.

    Args:
        path: File of the checkpoint.
        program: Network of the user's own that the tensors are of; a file that names a program
            does not run it.

    Raises:
        ModelError: The file is broken, holds code, or is of no known network.
    """
    try:
        sha256 = hash_file(path)
    except OSError as error:
        raise ModelError.expected(path, "a checkpoint", error.strerror, "Check the path") from error
    if path.suffix in (".h5", ".hdf5", ".keras"):
        origin = {"architecture": "dmvn", "origin": "Keras 1.2 weights of DMVN"}
        content = Content(origin, dict(read_dmvn(path)))
    elif path.suffix == ".safetensors":
        content = read_content(read_safetensors(path), path)
    else:
        content = read_content(load_tensors(path), path)
    about = content.about
    architecture = show_key(about["architecture"])
    if program is not None:
        network = program
        if architecture != network.architecture:
            then = "Name the program that it was trained with"
            raise ModelError.expected(
                path, f"tensors of {network.architecture}", architecture, then
            )
    elif ":" in architecture:
        raise ModelError(
            f"{path}: its network is a program of your own, {architecture}. "
            f"Name both: {architecture}@{path}"
        )
    else:
        network = build(architecture, f"{path}: architecture", about.get("configuration"))
    state = dict(content.state)
    if "features" in about:  # a head alone
        from cisdl_bench.models.checkpoints.heads import add_features

        state |= add_features(network, about["features"], path)
    _fill(network, state, path)
    return Checkpoint(network.eval(), sha256, about, content.note)


def load_tensors(path: Path) -> dict[str, Any]:
    """Return the dictionary of tensors and plain values that a torch file holds.

    Raises:
        ModelError: It is missing or broken, holds something else, or asks to run code.
    """
    copy_again = "Copy or download it again"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError.expected(path, "a torch file", error.strerror, "Check the path") from error
    except pickle.UnpicklingError as error:
        asked = next((line for line in str(error).splitlines() if "GLOBAL " in line), "")
        if asked:
            name = asked.partition("GLOBAL ")[2].partition(" ")[0]
            raise ModelError.expected(
                path,
                "tensors and plain values alone",
                f"a pickle that asks to run {show_key(name)}",
                "It was not run. Save `model.state_dict()` instead",
            ) from error
        raise ModelError.expected(path, "a whole torch file", "a broken one", copy_again) from error
    except Exception as error:  # torch reports a damaged file by exceptions of any class
        raise ModelError.expected(
            path,
            "a whole torch file",
            f"{path.stat().st_size:,} bytes that are cut short or no such file",
            copy_again,
        ) from error
    if not isinstance(content, dict):
        raise ModelError.expected(
            path, "a dictionary of tensors", type(content).__name__, "Save `model.state_dict()`"
        )
    return content


def read_safetensors(path: Path) -> dict[str, Any]:
    """Return a safetensors file's tensors; under ``state`` where the file says what they are.

    Raises:
        ModelError: It is missing or broken.
    """
    from safetensors import safe_open

    then = "Copy or download it again"
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(_KEY, "")
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except Exception as error:  # its errors and torch's, which share no class
        message = (str(error).splitlines() or [""])[0]
        raise ModelError.expected(path, "a whole safetensors file", f"'{message}'", then) from error
    if not text:
        return state
    about = decoded(text.encode(), dict[str, Any], f"{path}: {_KEY}", then, ModelError)
    return {**about, "state": state}


def _fill(network: nn.Module, state: dict[str, Any], path: Path) -> None:
    expected = network.state_dict()
    name = network.architecture
    for what, odd in (
        ("missing", [key for key in expected if key not in state]),
        ("not of it", [key for key in state if key not in expected]),
    ):
        if odd:
            more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
            raise ModelError.expected(
                path,
                f"the {len(expected)} tensors of {name}",
                f"{len(odd)} {what}: {show_key(odd[0])}{more}",
                "Give the checkpoint of that network, whole",
            )
    then = f"Give a checkpoint of {name} as published"
    checked = {
        key: check_tensor(value, expected[key], f"{path}: {key}", then)
        for key, value in state.items()
    }
    network.load_state_dict(checked)
