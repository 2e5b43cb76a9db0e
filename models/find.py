"""From what a user types to a detector: a name, a checkpoint, a program of the user's own."""

import ast
import sys
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from cisdl_bench.errors import ModelError
from cisdl_bench.hashing import hash_file
from cisdl_bench.models.checkpoints.hub import PREFIX, fetch_checkpoint
from cisdl_bench.models.classical.registry import PAIR_DETECTORS, make_method, untrained_methods
from cisdl_bench.models.detectors import (
    Detector,
    DeviceMatcherDetector,
    NetworkDetector,
    PairDetector,
)
from cisdl_bench.models.matchers.registry import PREFIX as MATCHER
from cisdl_bench.models.matchers.registry import make_matcher_method, matcher_names
from cisdl_bench.models.networks.registry import NETWORKS, build
from cisdl_bench.packaged import packaged_names, packaged_path

if TYPE_CHECKING:
    from cisdl_bench.models.checkpoints.checkpoint import Checkpoint

#: Names of the checkpoints that come with the package.
SHIPPED = packaged_names("checkpoints", ".safetensors")


def find_detector(text: str, device: str = "cpu") -> Detector:
    """Return the detector that a user names.

    Args:
        text: Name out of ``PAIR_DETECTORS`` or ``SHIPPED``, ``matcher:NAME`` of a matcher,
            the path of a checkpoint, of a
            TorchScript or ``torch.export`` file, ``hf:owner/name``, or ``module:factory``,
            perhaps with the checkpoint of `cisdl-bench train` behind an ``@``.
        device: Torch device that a TorchScript file is loaded to.

    Raises:
        ModelError: It is none of these, or cannot be used.
    """
    if text in PAIR_DETECTORS:
        return PairDetector(make_method(text))
    if text.startswith(MATCHER):
        method, needs_device = make_matcher_method(text)
        if needs_device:
            return DeviceMatcherDetector(method, method.name)
        return PairDetector(method)
    return find_network(text, device)


def find_ready() -> list[str]:
    """Return the detectors that need no file of the user's.

    Methods without training, and the checkpoints of the package whose features are at hand.
    """
    from cisdl_bench.models.checkpoints.heads import has_features

    at_hand = [name for name in SHIPPED if has_features(shipped_path(name))]
    return [*untrained_methods(), *at_hand]


def find_checkpoint(text: str) -> "Checkpoint":
    """Return the checkpoint of a file, or of a name out of ``SHIPPED``.

    Raises:
        ModelError: It is none, or cannot be used.
    """
    from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint

    return load_checkpoint(
        packaged_path(f"checkpoints/{text}.safetensors") if text in SHIPPED else Path(text)
    )


def find_network(text: str, device: str = "cpu") -> NetworkDetector:
    """Return the network that a user names by a file or a factory; see ``find_detector``.

    Raises:
        ModelError: It is none, or cannot be used.
    """
    if text in SHIPPED:
        return replace(_load_file(shipped_path(text), device), name=text)
    if text.startswith(PREFIX):
        hub = fetch_checkpoint(text)
        loaded = _load_checkpoint(hub.path)
        return replace(loaded, name=hub.name, about={**loaded.about, "hub": hub.origin})
    path = Path(text)
    if path.suffix == ".py":
        raise _program_error(path)
    if path.is_file():
        return _load_file(path, device)
    if ":" in text and ("@" in text or not path.suffix.startswith(".pt")):
        return _call_factory(text)
    raise _unknown_error(text)


def shipped_path(name: str) -> Path:
    """Return the file of a network of the package, one of ``SHIPPED``."""
    return packaged_path(f"checkpoints/{name}.safetensors")


def _program_error(path: Path) -> ModelError:
    """Return the error for a Python file, naming the factory that it may mean."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        functions = []
    else:
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    factory = next((name for name in functions if not name.startswith("_")), "network")
    folder = "" if path.parent == Path() else f", from the folder {path.parent}"
    return ModelError.expected(
        path,
        "module:factory for a program of your own",
        "a Python file",
        f"Write {path.stem}:{factory}{folder}; {factory}() returns the network",
    )


def _unknown_error(text: str) -> ModelError:
    """Return the error for what is no file and no name, with similar names."""
    networks = [name for name, spec in NETWORKS.items() if spec.finds_masks]
    word = text.casefold()
    of_network = any(word == name or word.startswith((f"{name}-", f"{name}_")) for name in networks)
    if of_network and not get_close_matches(word, SHIPPED, n=1, cutoff=0.8):
        return ModelError(
            f"{text}: expected a network's checkpoint, got a name alone: a network needs weights. "
            "Give the file that `cisdl-bench train` wrote, such as cisdl-training/dmac/dmac.pt, "
            "or the authors' DMAC-adv.pth, DMVN-BN.pth or DMVN's .h5 (`cisdl-bench models`)."
        )
    names = (*PAIR_DETECTORS, *SHIPPED, *matcher_names())
    near = [name for name in names if word and (word in name or name in word)]
    near = near or get_close_matches(word, names, n=3, cutoff=0.5)
    return ModelError.expected(
        text,
        f"a checkpoint file, module:factory, hf:owner/name, or one of {', '.join(names)}",
        "no such file",
        f"Did you mean {' or '.join(near)}" if near else "Check the path",
    )


def _load_checkpoint(path: Path) -> NetworkDetector:
    from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint

    loaded = load_checkpoint(path)
    if not hasattr(loaded.network, "detect"):
        name = loaded.about["architecture"]
        raise ModelError.expected(
            path, "a network that finds masks", f"the {name} network", "Score DMAC or DMVN"
        )
    note = f"{path}: {loaded.note}" if loaded.note else ""
    return NetworkDetector(path.stem, loaded.sha256, loaded.network, loaded.about, note)


def _load_file(path: Path, device: str) -> NetworkDetector:
    from cisdl_bench.models.checkpoints.program import file_kind, from_file

    kind = file_kind(path)
    if kind == "checkpoint":
        return _load_checkpoint(path)
    network = from_file(path, kind, torch.device(device))
    return NetworkDetector(path.stem, hash_file(path), network, {"architecture": kind})


def _call_factory(text: str) -> NetworkDetector:
    """Return the network of ``module:factory``, or of ``module:factory@FILE`` with its weights."""
    from cisdl_bench.models.checkpoints.program import from_factory

    factory, at, file = text.partition("@")
    network, module = from_factory(factory)
    if not at:
        return _identify_program(text, network, module)
    from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint

    loaded = load_checkpoint(Path(file), network)
    detector = _identify_program(factory, network, module)
    about = {**loaded.about, **detector.about}
    return replace(detector, name=Path(file).stem, about=about)


def wrap_network(network: "Checkpoint | Callable[..., Any]", name: str = "") -> NetworkDetector:
    """Return a network at hand, or another callable, as a detector.

    Args:
        network: What ``load_checkpoint`` returned, a network of ``models.networks``, or any
            callable of ``ForeignNetwork``'s interface.
        name: Name that results are filed under; empty takes the class's or function's name.
    """
    from cisdl_bench.models.checkpoints.checkpoint import Checkpoint
    from cisdl_bench.models.checkpoints.program import ForeignNetwork

    if isinstance(network, Checkpoint):
        name = name or str(network.about.get("architecture", "network"))
        return NetworkDetector(name, network.sha256, network.network, network.about, network.note)
    kind = network if hasattr(network, "__qualname__") else type(network)
    name = name or str(kind.__name__)
    own = isinstance(network, nn.Module) and hasattr(network, "detect")
    module = sys.modules.get(kind.__module__, ModuleType(kind.__module__))
    return _identify_program(name, network if own else ForeignNetwork(network, name), module)


def _identify_program(text: str, network: Any, module: ModuleType) -> NetworkDetector:
    from cisdl_bench.models.checkpoints.program_identity import identify_program

    identity, note = identify_program(text, module, network)
    about = {"architecture": text, **({"notes": [note]} if note else {})}
    return NetworkDetector(text.replace(":", "."), identity, network, about, note)


def require_detection_network(detector: Detector, text: str) -> None:
    """Refuse a detector without a detection network.

    Raises:
        ModelError: It has none.
    """
    if detector.has_detection_network:
        return
    raise ModelError.expected(
        "--detector det",
        "a checkpoint with a detection network, such as `train dmac-adv` writes",
        text,
        "Leave --detector out, or use --detector mask",
    )


def open_network(text: str) -> tuple[nn.Module, str]:
    """Return a network and its architecture: a user's, or a fresh one by the architecture's name.

    Raises:
        ModelError: The name is that of a method without a network, or of nothing.
    """
    if text in NETWORKS and NETWORKS[text].finds_masks:
        torch.manual_seed(0)
        return build(text).eval(), text
    if text in PAIR_DETECTORS or text.startswith(MATCHER):
        raise ModelError.expected(text, "a network", "a detector without one", "Name a checkpoint")
    detector = find_network(text)
    return detector.network, str(detector.about.get("architecture", detector.name))
