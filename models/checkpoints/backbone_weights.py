"""A backbone's published weights: from a file, or fetched by timm from its hub."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from cisdl_bench.errors import ModelError, cause
from cisdl_bench.models.checkpoints.checkpoint import load_tensors, read_safetensors
from cisdl_bench.models.networks.backbone import Backbone

#: What ``--init`` takes instead of a file: timm fetches the weights that belong to the name.
HUB = "timm"
_WRAPPERS = ("state_dict", "model", "state_dict_ema")


class BackboneWeights(NamedTuple):
    """Where a backbone's weights come from.

    Attributes:
        origin: Source of the weights in words.
        identity: SHA-256 of the backbone's tensors, by which runs know them.
    """

    origin: str
    identity: str


def load_backbone(features: Backbone, path: Path) -> BackboneWeights:
    """Put published weights into a backbone; return what they are.

    Args:
        features: Backbone of a network.
        path: File of the whole network as timm publishes it (``.safetensors``, or ``.pth`` without
            code), or ``timm``.

    Raises:
        ModelError: The file is missing, broken, or of another network, or the hub does not answer.
    """
    hub = str(path) == HUB
    weights: dict[str, Tensor] | bool = True if hub else _read(path)
    try:
        fresh = Backbone(features.name, weights)
    except ModelError as error:
        raise ModelError(f"--init {path}: {error}") from error
    features.load_state_dict(fresh.state_dict())
    digest = hashlib.sha256()
    for name, value in features.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    source = "timm's hub" if hub else path.name
    origin = f"{features.name} from {source}, the rest He initialisation"
    return BackboneWeights(origin, f"{features.name} {digest.hexdigest()}")


def _read(path: Path) -> dict[str, Tensor]:
    then = "Give a file that timm publishes for the backbone, or --init timm to fetch it"
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise ModelError.expected(path, "a file of weights", cause(error), then) from error
    content: dict[Any, Any] = read_safetensors(path) if start[8:] == b"{" else load_tensors(path)
    wrapped = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), dict)), None)
    state = content if wrapped is None else wrapped
    odd = next((key for key, value in state.items() if not isinstance(value, Tensor)), None)
    if odd is not None or not state:
        raise ModelError.expected(path, "tensors by their names", repr(odd)[:60], then)
    return state
