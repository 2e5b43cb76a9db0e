"""Packages and weights that matchers need beside the toolkit: what to do where they lack."""

import hashlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from cisdl_bench.errors import ModelError, cause


def import_package(module: str, text: str, install: str) -> Any:
    """Return an optional module.

    Args:
        module: Full name of the module, such as ``kornia.feature``.
        text: Name as the user typed it, for an error.
        install: Requirement for pip, such as ``cisdl-bench[kornia]``.

    Raises:
        ModelError: It cannot be imported.
    """
    try:
        return import_module(module)
    except Exception as error:  # a package beside another torch may fail in any way
        package = module.partition(".")[0]
        lacking = isinstance(error, ModuleNotFoundError) and error.name == package
        why = "is not installed" if lacking else f"cannot be imported ({cause(error)})"
        raise ModelError(
            f'{text}: the package {package} {why}. Install it: pip install "{install}".'
        ) from error


def load_weights(text: str, cache: str, load: Callable[[], Any]) -> Any:
    """Return what ``load`` returns, which may fetch weights.

    Args:
        text: Name as the user typed it, for an error.
        cache: Folder where fetched weights are kept, for an error.
        load: Function that makes the network with its weights.

    Raises:
        ModelError: They cannot be fetched or read.
    """
    try:
        return load()
    except Exception as error:  # each hub and package has its own
        raise ModelError(
            f"{text}: its weights were expected from their hub, got {type(error).__name__}: "
            f"{cause(error)}. Run this once where the hub can be reached, and copy the cache "
            f"({cache}) from there."
        ) from error


def hash_tensors(network: Any) -> str:
    """Return a short hash of a network's parameters and buffers, by name, shape and value."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().double().numpy().tobytes())
    return digest.hexdigest()[:16]
