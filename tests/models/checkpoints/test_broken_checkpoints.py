"""Checkpoints of others and broken ones: read, or refused in one line that names what is odd."""

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from mutated_checkpoints import campaign
from torch import Tensor, nn

from cisdl_bench.errors import ModelError
from cisdl_bench.models.checkpoints import published
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from cisdl_bench.models.detectors import NetworkDetector
from cisdl_bench.models.find import find_detector
from cisdl_bench.models.networks.dmac_det import DmacDet
from cisdl_bench.models.networks.registry import build


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(3)
    return build("dmvn-bn").eval()


def theirs(network: nn.Module) -> dict[str, Tensor]:
    """DMVN-BN's tensors by their published names."""

    def name(key: str) -> str:
        for their, our in published._DMVN_BN.items():
            if key.startswith(our):
                return their + key.removeprefix(our)
        raise AssertionError(key)

    return {name(key): value for key, value in network.state_dict().items()}


FIRST = "base.0.weight"


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda s: s, ""),
        (
            lambda s: {"state_dict": s, "epoch": 3},
            "from its entry 'state_dict'; left unread: epoch",
        ),
        (lambda s: {"model": {"net": 1}, "model_state_dict": s}, "'model_state_dict'; left unread"),
        (lambda s: {**s, "epoch": 3}, "left unread: epoch"),
        (lambda s: {**s, "a": 1, "b": "x", "c": [], "d": {}}, "left unread: a, b, c and 1 more"),
        (lambda s: {f"_orig_mod.{k}": v for k, v in s.items()}, "'_orig_mod.' removed"),
        (lambda s: {f"module._orig_mod.{k}": v for k, v in s.items()}, "'module.' removed"),
        (
            lambda s: {"state_dict": {f"_orig_mod.module.{k}": v for k, v in s.items()}},
            "'state_dict'; '_orig_mod.' removed",
        ),
    ],
)
def test_wrapped_and_renamed_ones_are_read_and_it_is_said(
    network: nn.Module, tmp_path: Path, change: Any, note: str
) -> None:
    path = tmp_path / "theirs.pth"
    torch.save(change(theirs(network)), path)
    loaded = load_checkpoint(path)
    assert note in loaded.note
    assert bool(loaded.note) == bool(note)
    for key, value in network.state_dict().items():
        assert torch.equal(value, loaded.network.state_dict()[key])
    found = find_detector(str(path))
    assert isinstance(found, NetworkDetector)
    assert found.note == (f"{path}: {loaded.note}" if note else "")


SPARSE = torch.ones(64, 3, 3, 3).to_sparse()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {FIRST: torch.full((64, 3, 3, 3), torch.nan)},
            "conv1_1.weight: .* got 1,728 that are NaN",
        ),
        (
            {FIRST: torch.full((64, 3, 3, 3), 1e300, dtype=torch.float64)},
            "1,728 that are NaN or infinite",
        ),
        ({"base.0.bias": torch.tensor([torch.inf, *[0.0] * 63])}, "conv1_1.bias: .*got 1 that"),
        (
            {"pool_inceptor.final_conv.bn.running_var": -torch.ones(32)},
            "running_var: expected finite numbers, got negative variances",
        ),
        ({FIRST: SPARSE}, "conv1_1.weight: expected a dense tensor of torch.float32, got sparse"),
        ({FIRST: SPARSE.to_dense().to(torch.complex64)}, "got strided, complex64"),
        ({FIRST: torch.ones(64, 3, 3, 3, dtype=torch.int8)}, "got strided, int8"),
        (
            {FIRST: torch.ones(1).expand(64, 3, 10**7)},
            r"the shape \(64, 3, 3, 3\), got \(64, 3, 100",
        ),
        ({5: torch.ones(1)}, r"expected tensors by their names, got the key 5 \(int\), as an opt"),
        ({None: 1}, r"got the key None \(NoneType\)"),
        ({f"module.{FIRST}": torch.ones(1)}, "expected each tensor once, got base.0.weight twice"),
        ({"x\ny": torch.ones(1)}, r"got 1 not of it: 'x\\ny'"),
        ({FIRST: 3}, "got 1 missing: features.conv1_1.weight"),
    ],
)
def test_the_odd_entry_is_named(
    network: nn.Module, tmp_path: Path, change: dict[Any, Any], message: str
) -> None:
    path = tmp_path / "odd.pth"
    torch.save({**theirs(network), **change}, path)
    with pytest.raises(ModelError, match=message) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_half_precision_is_taken(network: nn.Module, tmp_path: Path) -> None:
    half = {k: v.bfloat16() if v.is_floating_point() else v for k, v in theirs(network).items()}
    torch.save(half, tmp_path / "half.pth")
    state = load_checkpoint(tmp_path / "half.pth").network.state_dict()
    for key, value in network.state_dict().items():
        assert state[key].dtype == value.dtype
        torch.testing.assert_close(state[key], value, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": None}, "state: expected a dictionary of tensors, got none"),
        ({"state": [1]}, "state: expected a dictionary of tensors, got list"),
        ({"architecture": 3}, "architecture: expected str, got int"),
        ({"architecture": "a\nb"}, r"got 'a\\nb'\. Choose"),
        ({"architecture": None}, "architecture: expected str"),
        ({"layout": "1"}, "layout: expected int"),
        ({"configuration": {"width": 1e9}}, "configuration.width: expected float <= 1.0"),
        ({"configuration": {"width": -1}}, "configuration.width: expected float > 0"),
        ({"configuration": {"width": "x"}}, "configuration.width: expected float, got str"),
        ({"configuration": {"width": float("nan")}}, "configuration.width: expected"),
        ({"configuration": [1]}, "configuration: expected object"),
        ({"configuration": {"depth": 3}}, "expected a configuration of dmac"),
        ({"architecture": "dmac-det"}, "configuration.pictures: expected what its detection netw"),
        ({"training": [1]}, "training: expected object"),
        ({"training": {"a": torch.ones(2)}}, "expected plain values beside the tensors"),
        ({"versions": torch.ones(2)}, "expected plain values beside the tensors"),
        ({"versions": {"torch": 2}}, "versions.*: expected str, got int"),
    ],
)
@pytest.mark.parametrize("old", [False, True])
def test_what_ours_says_of_itself_is_checked_first(
    tmp_path: Path, change: dict[str, Any], message: str, old: bool
) -> None:
    path = tmp_path / "ours.pt"
    save_checkpoint(path, build("dmac", configuration={"width": 0.02}), {})
    content = {**torch.load(path, weights_only=True), **change}
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(ModelError, match=message) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_what_det_sees_comes_back(tmp_path: Path) -> None:
    for levels in ("bgr-minus-mean", "-1..1"):
        path = tmp_path / "det.safetensors"
        save_checkpoint(path, DmacDet(0.02, levels), {})
        loaded = load_checkpoint(path)
        assert loaded.about["configuration"] == {"width": 0.02, "pictures": levels}
        assert loaded.network.pictures == levels


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda g, n: g.__setitem__(n, h5py.ExternalLink("/etc/passwd", "/x")),
            "in HDF5|a dataset",
        ),
        (lambda g, n: g.__setitem__(n, h5py.SoftLink("/layer")), "expected a dataset of this file"),
        (lambda g, n: g.create_group(n), "expected a dataset of this file, got a link, a group"),
        (lambda g, n: g.create_dataset(n, (10**6, 10**6), "f4", chunks=(9, 9)), "a weight of DMVN"),
        (lambda g, n: g.__setitem__(n, b"text"), "expected a weight of DMVN"),
        (
            lambda g, n: g.create_dataset(n, (2,), "f4", external=[("/etc/passwd", 0, 8)]),
            "got a link, a group or outer storage",
        ),
    ],
)
def test_a_keras_file_shows_only_what_is_in_it(tmp_path: Path, make: Any, message: str) -> None:
    path, name = tmp_path / "dmvn.h5", "vgg16_cnn_featex-block1_conv1_W"
    with h5py.File(path, "w") as file:
        group = file.create_group("layer")
        make(group, name)
        group.attrs["weight_names"] = np.array([name.encode()])
    with pytest.raises(ModelError, match=message):
        load_checkpoint(path)


def test_programs_of_another_interface_are_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "linear.pt"
    torch.jit.script(nn.Linear(2, 2)).save(str(path))
    found = find_detector(str(path))
    assert isinstance(found, NetworkDetector)
    pictures = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(
        ModelError, match="linear.pt: expected a program that takes two pictures"
    ) as e:
        found.network.detect(pictures, pictures)
    assert "\n" not in str(e.value)


class Wide(nn.Module):
    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor]:
        return probe @ donor.reshape(-1, 7), donor.mean(1)


def test_an_error_within_a_program_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "wide.pt"
    torch.jit.script(Wide()).save(str(path))
    pictures = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ModelError, match=r"got 'RuntimeError: shape .* is invalid for input") as e:
        find_detector(str(path)).network.detect(pictures, pictures)
    assert "\n" not in str(e.value)


def test_mutated_checkpoints_are_read_or_refused(tmp_path: Path) -> None:
    """A few hundred; ``benchmarks/mutated_checkpoints.py`` makes as many as it is asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ended, wrong = campaign(300, 0, tmp_path)
    assert not wrong
    assert ended["refused"] > 150
    assert sum(ended.values()) == 300
