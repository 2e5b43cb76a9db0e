"""VGG-16's thirteen convolutions out of whatever file holds them, for our networks' input.

Three kinds of file are known, told apart by what they hold: torchvision's published weights, HED's
(`cisdl-bench fetch hed`), and the half-precision copy that ``write_half`` makes of either. Another
kind is an entry in ``KINDS``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Required, TypedDict

import h5py
import numpy as np
import torch
from torch import Tensor, nn

from cisdl_bench.errors import ModelError, cause
from cisdl_bench.hashing import hash_file
from cisdl_bench.models.checkpoints.checkpoint import (
    load_tensors,
    read_safetensors,
    round_to_half,
)
from cisdl_bench.models.checkpoints.content import check_tensor
from cisdl_bench.models.networks.vgg import BGR_MEAN, BLOCKS
from cisdl_bench.store.atomic import write_whole
from cisdl_bench.strict_json import conforming

#: torchvision's VGG-16 wants RGB in 0 to 1, less this mean, by this deviation.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
#: HED's network wants BGR in 0 to 255 less this mean.
HED_MEAN = (104.00699, 116.66877, 122.67892)
#: Names of the convolutions, in order: ``conv1_1`` to ``conv5_3``.
NAMES = tuple(f"conv{b}_{k}" for b, block in enumerate(BLOCKS, 1) for k in range(1, len(block) + 1))
_TORCHVISION = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
_HDF5 = b"\x89HDF\r\n\x1a\n"
_MOST_BYTES = 1 << 24  # of one weight; the largest has 9.4 MB
_FORMAT = "cisdl-bench convolutions"
_GIVE = "Give the file of `cisdl-bench fetch vgg16` or `fetch hed`, and width 1"
_ENDINGS = (".h5", ".pth", ".pt", ".safetensors")

Keys = tuple[tuple[str, str], ...]


class About(TypedDict, total=False):
    """What a half-precision copy says of itself."""

    format: Required[str]
    kind: Required[str]
    sha256: Required[str]


class Convolutions(NamedTuple):
    """Weights of VGG-16's convolutions and where they come from.

    Attributes:
        state: Weights and biases by their names in our blocks, such as ``conv1_1.weight``.
        kind: Name of the kind of file, one of ``KINDS``.
        origin: What the weights are, in words.
        identity: Kind and SHA-256 of the file, which decide the weights.
    """

    state: dict[str, Tensor]
    kind: str
    origin: str
    identity: str


@dataclass(frozen=True)
class WeightsKind:
    """A kind of file that holds VGG-16's convolutions.

    Attributes:
        title: What the weights are, in words: goes into checkpoints and records.
        keys: Names of weight and bias of each convolution in the file.
        adapt: Turns the first convolution's weight, (out, in, rows, columns), and bias, float32,
            into one for BGR in 0 to 255 less ``BGR_MEAN``.
        rows_first: Whether kernels are (rows, columns, in, out), as Keras has them.
    """

    title: str
    keys: Keys
    adapt: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    rows_first: bool = False


def adapt_torchvision(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return a first convolution for our input, of one for RGB in 0 to 1, normalised.

    Its input channels are turned round, its weights divided by 255 deviations, and what is left of
    the means goes into its bias: the same numbers come out, but in the outermost pixels, where each
    pads with its own 0.
    """
    scaled = weight.double() / (255 * _row(IMAGENET_DEVIATION)).reshape(1, 3, 1, 1)
    mean = 255 * _row(IMAGENET_MEAN)
    return _move_mean(scaled.flip(1), bias, mean.flip(0))


def adapt_hed(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return a first convolution for our input, of HED's: its mean differs by less than 0.01."""
    return _move_mean(weight.double(), bias, _row(HED_MEAN))


def _move_mean(weight: Tensor, bias: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Put into the bias what lies between a mean of BGR and ours."""
    moved = weight.sum(dim=(2, 3)) @ (_row(BGR_MEAN) - mean)
    return weight.float(), (bias.double() + moved).float()


def _row(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _hed_layer(name: str) -> str:
    block, _, number = name.removeprefix("conv").partition("_")
    layer = "conv2d" if number == "1" else f"conv2d_{int(number) - 1}"
    return f"block{block}/layers/{layer}/vars"


KINDS: dict[str, WeightsKind] = {
    "VGG-16": WeightsKind(
        "VGG-16's published weights (ImageNet)",
        tuple((f"features.{p}.weight", f"features.{p}.bias") for p in _TORCHVISION),
        adapt_torchvision,
    ),
    "HED": WeightsKind(
        "HED's weights (VGG-16 from ImageNet, fine-tuned on the edges of BSDS500's training and "
        "validation photographs)",
        tuple((f"{_hed_layer(name)}/0", f"{_hed_layer(name)}/1") for name in NAMES),
        adapt_hed,
        rows_first=True,
    ),
}
_HALF_KEYS = tuple((f"{name}.weight", f"{name}.bias") for name in NAMES)


def read_convolutions(path: Path) -> Convolutions:
    """Return VGG-16's convolutions, for BGR in 0 to 255 less ``BGR_MEAN``, of any known kind.

    Args:
        path: File of weights, or the folder that `cisdl-bench fetch` made.

    Raises:
        ModelError: The file is missing or broken, or of another network.
    """
    path = find_weights(path)
    content, about = _read_content(path)
    digest = hash_file(path)
    if about is not None:
        kind = KINDS[about["kind"]]
        state = _take(content, _HALF_KEYS, path)
        origin = f"{kind.title}, rounded to float16"
        return Convolutions(state, about["kind"], origin, f"{about['kind']} float16 {digest}")
    name = next((n for n, k in KINDS.items() if any(w in content for p in k.keys for w in p)), "")
    if not name:
        first = next(iter(content), "nothing")
        raise ModelError.expected(
            path, f"the convolutions of {' or '.join(KINDS)}", f"the key {first!r:.99}", _GIVE
        )
    kind = KINDS[name]
    state = _take(content, kind.keys, path, kind.rows_first)
    first = NAMES[0]
    state[f"{first}.weight"], state[f"{first}.bias"] = kind.adapt(
        state[f"{first}.weight"], state[f"{first}.bias"]
    )
    return Convolutions(state, name, kind.title, f"{name} {digest}")


def load_vgg(network: nn.Module, path: Path) -> Convolutions:
    """Put VGG-16's convolutions into a network's ``features``; return what they are.

    Args:
        network: DMAC, DMVN-BN or another network with VGG-16's blocks, in full width.
        path: File of weights, or the folder that `cisdl-bench fetch` made.

    Raises:
        ModelError: The file is broken or of another network, or the network is narrower.
    """
    read = read_convolutions(path)
    features: nn.Module = network.features  # type: ignore[assignment]
    own = features.state_dict()
    for name, value in own.items():
        stored = tuple(read.state[name].shape)
        if stored != tuple(value.shape):
            raise ModelError.expected(
                f"{path}: {name}", f"the shape {tuple(value.shape)}", stored, _GIVE
            )
    features.load_state_dict({name: read.state[name] for name in own})
    return read


def write_half(source: Path, target: Path) -> Convolutions:
    """Write the convolutions alone as float16, 29 MB of safetensors that ``--init`` takes too.

    Each weight is rounded to 11 bits; biases stay float32.

    Args:
        source: File of weights, or the folder that `cisdl-bench fetch` made.
        target: File that is written, whole or not at all.

    Raises:
        ModelError: The source is broken, or holds numbers too large for float16.
        StoreError: The file cannot be written.
    """
    from safetensors.torch import save

    read = read_convolutions(source)
    half = {name: value.contiguous() for name, value in round_to_half(read.state, source).items()}
    about = {"format": _FORMAT, "kind": read.kind, "sha256": hash_file(find_weights(source))}
    write_whole(target, save(half, {"cisdl-bench": json.dumps(about)}))
    return read


def find_weights(path: Path) -> Path:
    """Return the file of weights: the path, or the only one in that folder.

    Raises:
        ModelError: The folder holds none or several.
    """
    if not path.is_dir():
        return path
    files = sorted(file for file in path.iterdir() if file.suffix in _ENDINGS)
    if len(files) != 1:
        names = ", ".join(file.name for file in files[:3]) or "none"
        raise ModelError.expected(path, "one file of weights", names, "Name the file itself")
    return files[0]


def _read_content(path: Path) -> tuple[Mapping[str, Any], About | None]:
    """Return a file's tensors by name, and what it says of itself where it is a half copy."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise ModelError.expected(
            path, "a file of weights", cause(error), "Check the path"
        ) from error
    if start.startswith(_HDF5):
        return _read_hdf5(path), None
    content = read_safetensors(path) if start[8:] == b"{" else load_tensors(path)
    if content.get("format") != _FORMAT:
        return content, None
    state = content.pop("state", None)
    about: About = conforming(content, About, path, _GIVE, ModelError)
    if about["kind"] not in KINDS or not isinstance(state, dict):
        got = f"{about['kind']!r:.99}, {type(state).__name__}"
        raise ModelError.expected(path, f"tensors of {' or '.join(KINDS)}", got, _GIVE)
    return state, about


def _take(
    content: Mapping[str, Any], keys: Keys, path: Path, rows_first: bool = False
) -> dict[str, Tensor]:
    """Return the convolutions by our names, each of VGG-16's shape, in float32."""
    state: dict[str, Tensor] = {}
    channels = [3, *(count for block in BLOCKS for count in block)]
    for number, (name, pair) in enumerate(zip(NAMES, keys, strict=True)):
        before, after = channels[number : number + 2]
        kernel = (3, 3, before, after) if rows_first else (after, before, 3, 3)
        shapes = {"weight": kernel, "bias": (after,)}
        for key, (part, shape) in zip(pair, shapes.items(), strict=True):
            where = f"{path}: {key}"
            if key not in content:
                raise ModelError.expected(where, f"{name} of VGG-16", "none", _GIVE)
            value = check_tensor(content[key], torch.empty(shape), where, _GIVE)
            if rows_first and part == "weight":
                value = value.permute(3, 2, 0, 1).contiguous()
            state[f"{name}.{part}"] = value
    return state


def _read_hdf5(path: Path) -> dict[str, Tensor]:
    """Return the datasets of an HDF5 file that are a convolution's of any kind."""
    known = (key for kind in KINDS.values() for pair in kind.keys for key in pair)
    try:
        with h5py.File(path, "r") as file:
            keys = [key for key in known if key in file]
            return {key: torch.from_numpy(_read_dataset(file, key, path)) for key in keys}
    except ModelError:
        raise
    except Exception as error:  # HDF5 reports a damaged file by exceptions of any class
        message = (str(error).splitlines() or [""])[0]
        raise ModelError.expected(path, "a whole HDF5 file", f"'{message}'", _GIVE) from error


def _read_dataset(file: h5py.File, key: str, path: Path) -> np.ndarray:
    """Return numbers that lie in the file itself."""
    parts = key.split("/")
    links = [file.get("/".join(parts[:n]), getlink=True) for n in range(1, len(parts) + 1)]
    dataset = file[key]
    inside = all(isinstance(link, h5py.HardLink) for link in links)
    plain = inside and isinstance(dataset, h5py.Dataset)
    if not plain or dataset.is_virtual or dataset.external:
        got = "a link, a group or outer storage"
        raise ModelError.expected(f"{path}: {key}", "a dataset of this file", got, _GIVE)
    if dataset.dtype.kind != "f" or not dataset.shape or dataset.nbytes > _MOST_BYTES:
        got = f"{dataset.dtype} {dataset.shape}"
        raise ModelError.expected(f"{path}: {key}", "a weight of VGG-16", got, _GIVE)
    return np.asarray(dataset[()], dtype=np.float32)
