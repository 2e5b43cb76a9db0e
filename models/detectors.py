"""From what a user types to a detector: a name, a checkpoint, a program of the user's own."""

import ast
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cisdl_bench.errors import ModelError
from cisdl_bench.hashing import hash_file
from cisdl_bench.models.classical.dense_field import DenseField
from cisdl_bench.models.classical.luo_blocks import LuoBlocks
from cisdl_bench.models.classical.reference_detectors import Empty, Oracle, Random
from cisdl_bench.models.classical.sift_ransac import SiftRansac
from cisdl_bench.models.classical.zernike_blocks import ZernikeBlocks
from cisdl_bench.models.networks.registry import NETWORKS, build
from cisdl_bench.models.pair_detector import PairDetector

PAIR_DETECTORS: dict[str, Callable[[], PairDetector]] = {
    "oracle": Oracle,
    "empty": Empty,
    "random": Random,
    "luo-blocks": LuoBlocks.from_specs,
    "zernike-blocks": ZernikeBlocks.from_specs,
    "sift-ransac": SiftRansac.from_specs,
    "dense-field": DenseField.from_specs,
}


@dataclass(frozen=True)
class NetworkDetector:
    """A network that ``detect``s batches of pairs.

    Attributes:
        name: What results are filed under: the file's stem, or the factory's name.
        identity: SHA-256 of the checkpoint, or of a program's sources and tensors.
        network: The network in evaluation mode, on the CPU.
        about: Architecture and training record, for the result's summary.
        note: What a user must know before it is scored; empty where there is nothing.
    """

    name: str
    identity: str
    network: nn.Module
    about: dict[str, Any] = field(default_factory=dict)
    note: str = ""


Detector = PairDetector | NetworkDetector


def find_detector(text: str, device: str = "cpu") -> Detector:
    """Return the detector that a user names.

    Args:
        text: One of ``PAIR_DETECTORS``, the path of a checkpoint, of a TorchScript or
            ``torch.export`` file, or ``module:factory``.
        device: Torch device that a TorchScript file is loaded to.

    Raises:
        ModelError: It is none of these, or cannot be used.
    """
    if text in PAIR_DETECTORS:
        return PAIR_DETECTORS[text]()
    path = Path(text)
    if path.suffix == ".py":
        raise _program(path)
    if path.is_file():
        return _of_file(path, device)
    if ":" in text and not path.suffix.startswith(".pt"):
        return _of_factory(text)
    raise _unknown(text)


def _program(path: Path) -> ModelError:
    """Return the error for a Python file, naming the factory that it may mean."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        made = []
    else:
        made = [each.name for each in tree.body if isinstance(each, ast.FunctionDef)]
    factory = next((name for name in made if not name.startswith("_")), "network")
    there = "" if path.parent == Path() else f", from the folder {path.parent}"
    return ModelError.expected(
        path,
        "module:factory for a program of your own",
        "a Python file",
        f"Write {path.stem}:{factory}{there}; {factory}() returns the network",
    )


def _unknown(text: str) -> ModelError:
    """Return the error for what is no file and no name, with the names that are near."""
    networks = [name for name, kind in NETWORKS.items() if hasattr(kind, "detect")]
    word = text.casefold()
    if any(word == name or word.startswith((f"{name}-", f"{name}_")) for name in networks):
        return ModelError(
            f"{text}: expected a network's checkpoint, got a name alone: a network needs weights. "
            "Give the file that `cisdl-bench train` wrote, such as cisdl-training/dmac/dmac.pt, "
            "or the authors' DMAC-adv.pth, DMVN-BN.pth or DMVN's .h5 (README, Score)."
        )
    near = [name for name in PAIR_DETECTORS if word and (word in name or name in word)]
    near = near or get_close_matches(word, PAIR_DETECTORS, n=3, cutoff=0.5)
    return ModelError.expected(
        text,
        f"a checkpoint file, module:factory, or one of {', '.join(PAIR_DETECTORS)}",
        "no such file",
        f"Did you mean {' or '.join(near)}" if near else "Check the path",
    )


def _of_file(path: Path, device: str) -> NetworkDetector:
    from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
    from cisdl_bench.models.checkpoints.program import file_kind, from_file

    kind = file_kind(path)
    if kind == "checkpoint":
        loaded = load_checkpoint(path)
        if not hasattr(loaded.network, "detect"):
            name = loaded.about["architecture"]
            raise ModelError.expected(
                path, "a network that finds masks", f"the {name} network", "Score DMAC or DMVN"
            )
        note = f"{path}: {loaded.note}" if loaded.note else ""
        return NetworkDetector(path.stem, loaded.sha256, loaded.network, loaded.about, note)
    network = from_file(path, kind, torch.device(device))
    return NetworkDetector(path.stem, hash_file(path), network, {"architecture": kind})


def _of_factory(text: str) -> NetworkDetector:
    from cisdl_bench.models.checkpoints.program import from_factory
    from cisdl_bench.models.checkpoints.program_identity import program_identity

    network, module = from_factory(text)
    identity, note = program_identity(text, module, network), ""
    if identity is None:
        identity = f"source unknown {uuid.uuid4().hex}"
        note = (
            f"{text}: its source or tensors cannot be read, so an edited network cannot be told "
            "from this one: its results are never gone on with, score it again with --overwrite"
        )
    about = {"architecture": text, **({"notes": [note]} if note else {})}
    return NetworkDetector(text.replace(":", "."), identity, network, about, note)


def require_det(detector: Detector, text: str) -> None:
    """Refuse a detector without a detection network.

    Raises:
        ModelError: It has none.
    """
    if hasattr(getattr(detector, "network", None), "detection"):
        return
    raise ModelError.expected(
        "--detector det",
        "a checkpoint with a detection network, such as `train dmac-adv` writes",
        text,
        "Leave --detector out, or use --detector mask",
    )


def networked(text: str) -> tuple[nn.Module, str]:
    """Return a network and its architecture: of a detector, or fresh by the architecture's name.

    Raises:
        ModelError: The detector has no network.
    """
    if text in NETWORKS and hasattr(NETWORKS[text], "detect"):
        torch.manual_seed(0)
        return build(text).eval(), text
    detector = find_detector(text)
    if not isinstance(detector, NetworkDetector):
        raise ModelError.expected(text, "a network", "a detector without one", "Name a checkpoint")
    return detector.network, str(detector.about.get("architecture", detector.name))
