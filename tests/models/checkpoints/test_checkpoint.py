import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from cisdl_bench.errors import ModelError
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from cisdl_bench.models.checkpoints.keras import LAYERS
from cisdl_bench.models.find import find_detector
from cisdl_bench.models.networks.registry import build


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return build("dmvn-bn")


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_a_checkpoint_comes_back_with_its_record(
    network: nn.Module, ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"model{ending}"
    save_checkpoint(path, network, {"epochs": 3})
    loaded = load_checkpoint(path)
    assert loaded.about["architecture"] == "dmvn-bn"
    assert loaded.about["training"] == {"epochs": 3}
    assert loaded.about["versions"]["torch"] == torch.__version__
    assert not loaded.network.training
    for key, value in network.state_dict().items():
        assert torch.equal(value, loaded.network.state_dict()[key])


def test_another_ending_is_refused(network: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"ends in \.pt or \.safetensors, got model\.bin"):
        save_checkpoint(tmp_path / "model.bin", network, {})


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harmed",)


def test_a_pickle_that_would_run_something_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path, zipped in (("new.pt", True), ("old.pth", False)):
        torch.save({"a": Harmful()}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ModelError, match=r"asks to run posix\.mkdir\. It was not run"):
            load_checkpoint(Path(path))
    assert not Path("harmed").exists()


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.999])
def test_a_file_cut_short_is_refused_in_one_line(
    network: nn.Module, ending: str, share: float, tmp_path: Path
) -> None:
    path = tmp_path / f"model{ending}"
    save_checkpoint(path, network, {})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError, match=r"Copy or download it again") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_missing_foreign_and_misshapen_tensors_are_named(
    network: nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    save_checkpoint(path, network, {})
    whole = torch.load(path, weights_only=True)

    def changed(change: Any) -> None:
        content = {**whole, "state": dict(whole["state"])}
        change(content)
        torch.save(content, path)

    changed(lambda c: c["state"].pop("decoder.mask.bias"))
    with pytest.raises(ModelError, match=r"got 1 missing: decoder\.mask\.bias"):
        load_checkpoint(path)
    changed(lambda c: c["state"].update({"x": torch.ones(1), "y": torch.ones(1)}))
    with pytest.raises(ModelError, match=r"got 2 not of it: x and 1 more"):
        load_checkpoint(path)
    changed(lambda c: c["state"].update({"decoder.mask.bias": torch.ones(2)}))
    with pytest.raises(ModelError, match=r"decoder\.mask\.bias: expected the shape \(1,\)"):
        load_checkpoint(path)
    changed(lambda c: c.update(architecture="dmvn-nb"))
    with pytest.raises(ModelError, match=r"got dmvn-nb\. Did you mean dmvn-bn"):
        load_checkpoint(path)
    changed(lambda c: c.update(layout=99))
    with pytest.raises(ModelError, match=r"expected layout 1, got 99"):
        load_checkpoint(path)


def test_other_peoples_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "resnet.pth"
    torch.save({"layer1.0.weight": torch.ones(2)}, path)
    with pytest.raises(ModelError, match=r"got the keys layer1\.0\.weight"):
        load_checkpoint(path)
    torch.save([torch.ones(2)], path)
    with pytest.raises(ModelError, match=r"expected a dictionary of tensors, got list"):
        load_checkpoint(path)
    with pytest.raises(ModelError, match=r"Check the path"):
        load_checkpoint(tmp_path / "absent.pt")


def test_a_network_without_masks_is_no_detector(tmp_path: Path) -> None:
    path = tmp_path / "det.pt"
    save_checkpoint(path, build("discriminative"), {})
    with pytest.raises(ModelError, match=r"got the discriminative network"):
        find_detector(str(path))


def keras_file(path: Path, network: nn.Module) -> None:
    """Write a network's weights in the layout of Keras 1.2 on Theano."""
    state = network.state_dict()
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"world", b"everything"]
        file.create_group("world").attrs["weight_names"] = np.zeros(0, dtype="S1")
        group = file.create_group("everything")
        names = []
        for layer, ours in LAYERS.items():
            weight = state[f"{ours}.weight"].numpy()
            # Theano's kernel k is applied as k[-1 - i, -1 - j].
            weight = np.flip(weight, (2, 3)) if weight.ndim == 4 else weight.T
            group[f"{layer}_W"] = weight
            group[f"{layer}_b"] = state[f"{ours}.bias"].numpy()
            names += [f"{layer}_W".encode(), f"{layer}_b".encode()]
        group.attrs["weight_names"] = names


def test_the_keras_file_of_the_original_dmvn(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build("dmvn")
    path = tmp_path / "dmvn_end_to_end.h5"
    keras_file(path, network)
    loaded = load_checkpoint(path)
    assert loaded.about["architecture"] == "dmvn"
    for key, value in network.state_dict().items():
        assert torch.equal(value, loaded.network.state_dict()[key]), key
    with h5py.File(path, "a") as file:
        names = list(file["everything"].attrs["weight_names"])
        file["everything"].attrs["weight_names"] = np.array([*names[:-1], b"dense_9_W"], "S")
        file["everything"]["dense_9_W"] = np.zeros(3)
    with pytest.raises(ModelError, match=r"got the weight 'dense_9_W'"):
        load_checkpoint(path)
    path.write_bytes(b"not HDF5")
    with pytest.raises(ModelError, match=r"a Keras 1\.2 weights file"):
        load_checkpoint(path)
