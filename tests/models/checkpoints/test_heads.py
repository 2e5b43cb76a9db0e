"""Checkpoints of a head alone: small, and complete only with the weights that they name."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training.conftest import write_hed

from cisdl_bench.errors import ModelError
from cisdl_bench.models import find
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.models.checkpoints.heads import VARIABLE, save_head
from cisdl_bench.models.checkpoints.vgg_weights import load_vgg
from cisdl_bench.models.classical.registry import untrained_methods
from cisdl_bench.models.find import find_detector
from cisdl_bench.models.networks.initialise import he_initialise
from cisdl_bench.models.networks.registry import build


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``hed/``, as `fetch hed` leaves it, and a head saved beside."""
    folder = tmp_path_factory.mktemp("heads")
    (folder / "hed").mkdir()
    write_hed(folder / "hed" / "hed.h5")
    torch.manual_seed(1)
    network = build("dmac-unit")
    he_initialise(network)
    features = load_vgg(network, folder / "hed")
    save_head(folder / "small.safetensors", network, {"steps": 3}, features)
    torch.save(network.state_dict(), folder / "whole.torch")
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)


def test_a_head_is_small_and_whole_again_with_its_features(folder: Path) -> None:
    path = folder / "small.safetensors"
    assert path.stat().st_size < 1_000_000
    assert not [name for name in load_file(path) if name.startswith("features.")]
    loaded = load_checkpoint(path)
    assert loaded.about["training"] == {"steps": 3}
    assert loaded.about["features"]["kind"] == "HED"
    state, whole = loaded.network.state_dict(), torch.load(folder / "whole.torch")
    assert set(state) == set(whole)
    for name, value in whole.items():
        if name.startswith("features."):
            assert torch.equal(state[name], value), name
        else:  # float16 has 11 bits
            torch.testing.assert_close(state[name], value, rtol=2**-11, atol=1e-7)


def test_features_are_found_by_a_variable_and_where_fetch_puts_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = tmp_path / "alone" / "small.safetensors"
    alone.parent.mkdir()
    alone.write_bytes((folder / "small.safetensors").read_bytes())
    with pytest.raises(ModelError, match=r"small\.safetensors.*fetch hed"):
        load_checkpoint(alone)
    (tmp_path / "hed").symlink_to(folder / "hed")
    load_checkpoint(alone)
    (tmp_path / "hed").unlink()
    monkeypatch.setenv(VARIABLE, str(folder / "hed" / "hed.h5"))
    load_checkpoint(alone)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match=r"nowhere.*fetch hed"):
        load_checkpoint(alone)


def test_other_weights_are_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytearray((folder / "hed" / "hed.h5").read_bytes())
    position = data.index(b"\x3d", len(data) // 2)  # somewhere in the weights
    data[position - 1] ^= 1
    other = tmp_path / "other.h5"
    other.write_bytes(data)
    monkeypatch.setenv(VARIABLE, str(other))
    with pytest.raises(ModelError, match=r"other\.h5: expected HED [0-9a-f]{64}, got HED"):
        load_checkpoint(folder / "small.safetensors")


def test_trained_features_are_not_left_out(folder: Path, tmp_path: Path) -> None:
    network = build("dmac-unit")
    features = load_vgg(network, folder / "hed")
    with torch.no_grad():
        network.features.conv4_2.weight[0, 0, 0, 0] += 1e-3
    with pytest.raises(ModelError, match=r"features\.conv4_2\.weight"):
        save_head(tmp_path / "x.safetensors", network, {}, features)


def test_a_shipped_name_is_a_detector(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "SHIPPED", ["mine"])
    monkeypatch.setattr(find, "packaged_path", lambda name: folder / "small.safetensors")
    detector = find_detector("mine")
    assert detector.name == "mine"
    assert detector.about["architecture"] == "dmac-unit"
    with pytest.raises(ModelError, match="Did you mean mine"):
        find_detector("mine2")
    monkeypatch.setattr(find, "SHIPPED", ["consensus-frozen"])
    with pytest.raises(ModelError, match="Did you mean consensus-frozen"):
        find_detector("consensus-frosen")
    with pytest.raises(ModelError, match="a network needs weights"):
        find_detector("consensus")


def test_shipped_networks_are_used_where_their_features_are_at_hand(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes((folder / "small.safetensors").read_bytes())
    monkeypatch.setattr(find, "SHIPPED", ["mine"])
    monkeypatch.setattr(find, "packaged_path", lambda name: alone)
    assert find.find_ready() == untrained_methods()
    monkeypatch.setenv(VARIABLE, str(folder / "hed"))
    assert find.find_ready() == [*untrained_methods(), "mine"]
