from pathlib import Path

import pytest
import torch

from cisdl_bench.errors import ModelError
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from cisdl_bench.models.networks.registry import build


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_weights_are_rounded_and_statistics_are_not(tmp_path: Path, ending: str) -> None:
    network = build("dmac", configuration={"width": 0.125})
    network.aspp.branches[0][1].running_var.fill_(1e6)  # more than float16 holds
    save_checkpoint(tmp_path / f"half{ending}", network, {}, half=True)
    save_checkpoint(tmp_path / f"exact{ending}", network, {})
    sizes = [(tmp_path / f"{name}{ending}").stat().st_size for name in ("half", "exact")]
    assert sizes[0] < 0.6 * sizes[1]
    loaded = load_checkpoint(tmp_path / f"half{ending}").network.state_dict()
    for key, value in network.state_dict().items():
        tolerance = 2**-11 if value.dim() > 1 else 0
        assert loaded[key].dtype == value.dtype
        assert torch.allclose(loaded[key], value, rtol=tolerance, atol=2**-25 if tolerance else 0)


def test_a_weight_beyond_float16_is_refused(tmp_path: Path) -> None:
    network = build("dmac", configuration={"width": 0.125})
    with torch.no_grad():
        network.features.conv1_1.weight[0, 0, 0, 0] = 1e5
    with pytest.raises(ModelError, match=r"conv1_1.weight: expected .* float16, got 100000"):
        save_checkpoint(tmp_path / "half.pt", network, {}, half=True)
    assert not (tmp_path / "half.pt").exists()
