"""Checkpoints of a head alone: a megabyte that needs the features' published weights beside it.

The features of such a network are VGG-16's convolutions as somebody else published them; what was
learnt here is its head. The checkpoint says which weights the features are, and they are looked
for where `cisdl-bench fetch` puts them.
"""

import json
import os
from pathlib import Path
from typing import Any

from torch import nn

from cisdl_bench.errors import ModelError
from cisdl_bench.folders import cache_folder
from cisdl_bench.models.checkpoints.checkpoint import (
    make_about,
    read_safetensors,
    round_to_half,
)
from cisdl_bench.models.checkpoints.content import FeaturesRecord, read_content
from cisdl_bench.models.checkpoints.vgg_weights import Convolutions, load_vgg
from cisdl_bench.store.atomic import write_whole

#: Folders that `cisdl-bench fetch` makes, by the kind of the weights in them.
FOLDERS = {"HED": "hed", "VGG-16": "vgg16"}
VARIABLE = "CISDL_FEATURES"
_FEATURES = "features."


def save_head(path: Path, network: Any, training: dict[str, Any], features: Convolutions) -> None:
    """Write a network's weights but for its features, as float16 in safetensors.

    Args:
        path: File of the checkpoint.
        network: Network whose ``features`` are still those weights.
        training: Training record, of values that JSON has.
        features: Weights of the features.

    Raises:
        ModelError: The network's features are other ones, or a weight is too large for float16.
        StoreError: The file cannot be written.
    """
    from safetensors.torch import save

    own = network.features.state_dict()
    moved = [name for name, value in own.items() if not value.equal(features.state[name])]
    if moved:
        raise ModelError.expected(
            f"{path}: {_FEATURES}{moved[0]}",
            f"the weights of {features.origin}",
            "other ones",
            "Save the whole network: its features were trained",
        )
    about = make_about(network, training)
    about["features"] = {"kind": features.kind, "identity": features.identity}
    state = {
        name: value.detach().cpu().contiguous()
        for name, value in network.state_dict().items()
        if not name.startswith(_FEATURES)
    }
    write_whole(path, save(round_to_half(state, path), {"cisdl-bench": json.dumps(about)}))


def has_features(path: Path) -> bool:
    """Return whether the features that a checkpoint of a head needs are where they are looked for.

    Raises:
        ModelError: It is no checkpoint of a head.
    """
    about = read_content(read_safetensors(path), path).about
    kind = about.get("features", {}).get("kind")
    if kind not in FOLDERS:
        raise ModelError.expected(path, "the checkpoint of a head", "another file", "Copy it again")
    return any(place.exists() for place in _list_places(kind, path))


def _list_places(kind: str, where: Path) -> list[Path]:
    given, folder = os.environ.get(VARIABLE), FOLDERS[kind]
    if given:
        return [Path(given)]
    places = [Path(folder), where.parent / folder, cache_folder(Path()) / folder]
    return list(dict.fromkeys(places))


def add_features(network: nn.Module, record: FeaturesRecord, where: Path) -> dict[str, Any]:
    """Put the features that a checkpoint of a head needs into its network; return their tensors.

    Looked for in the file or folder that the variable CISDL_FEATURES names; else in the folder
    that `cisdl-bench fetch` makes here, beside the checkpoint, and in CISDL_CACHE.

    Args:
        network: Network whose ``features`` are filled.
        record: Kind and identity of the weights.
        where: File of the checkpoint.

    Raises:
        ModelError: They are in none of these places, or other ones are.
    """
    kind = record["kind"]
    if kind not in FOLDERS:
        known = " or ".join(FOLDERS)
        raise ModelError.expected(f"{where}: features", known, f"{kind!r:.99}", "Copy it again")
    folder, places = FOLDERS[kind], _list_places(kind, where)
    path = next((place for place in places if place.exists()), None)
    if path is None:
        raise ModelError.expected(
            where.name,
            f"{kind}'s weights in {' or '.join(str(place) for place in places)}, for its features",
            "none",
            f"Run `cisdl-bench fetch {folder}`, or name them in the variable {VARIABLE}",
        )
    identity = load_vgg(network, path).identity
    if identity != record["identity"]:
        raise ModelError.expected(
            path, record["identity"], identity, f"Give the file of `cisdl-bench fetch {folder}`"
        )
    return {
        name: value for name, value in network.state_dict().items() if name.startswith(_FEATURES)
    }
