import pytest
import torch
from torch import Tensor, nn

from cisdl_bench.devices import choose_device
from cisdl_bench.errors import CisdlError, ModelError
from cisdl_bench.models.detection import Detection
from cisdl_bench.models.networks.registry import build, check_side
from cisdl_bench.scoring import profile as module
from cisdl_bench.scoring.options import ScoreOptions, inference
from cisdl_bench.scoring.profile import _noise as noise
from cisdl_bench.scoring.profile import measure_cost


class OneConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def detect(self, probe: Tensor, donor: Tensor) -> Detection:
        masks = [self.conv(x.float()).mean(1).sigmoid() for x in (probe, donor)]
        return Detection(masks[0], masks[1])


def test_arithmetic_is_counted_by_hand() -> None:
    found = measure_cost(OneConvolution(), ScoreOptions(), size=32, seconds=0)
    assert found["parameters"] == 4 * 3 * 9 + 4
    assert found["gflop"] * 1e9 == 2 * (2 * 32 * 32 * 4 * 3 * 9)  # two pictures
    assert set(found["seconds"]) == {1, 2, 4, 8}
    assert found["seconds"][found["best_batch"]] == min(found["seconds"].values())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_device_that_is_not_there_is_refused() -> None:
    assert choose_device("auto") == "cpu"
    with pytest.raises(CisdlError, match=r"--device: expected a device of this machine, got cuda"):
        choose_device("cuda")
    for text in ("meta", "cpu:0", "mps", "cuda:x", "", "cuda:99999999999999999999"):
        with pytest.raises(CisdlError, match=r"--device: expected a device of this machine"):
            choose_device(text)


@pytest.mark.parametrize(
    ("name", "side", "message"),
    [
        ("dmvn", 512, "expected pictures of 256 px for dmvn, got 512 px"),
        ("dmvn-bn", 300, "expected a side that 16 divides for dmvn-bn, got 300 px"),
    ],
)
def test_a_side_that_a_network_cannot_take_is_refused(name: str, side: int, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_side(build(name), side, "set")
    check_side(build("dmac"), 300, "set")


def test_peak_memory_is_that_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the device that was asked for, not of the current one."""
    asked: list[tuple[str, object]] = []
    cpu = torch.device("cpu")
    monkeypatch.setattr(
        module.torch.cuda, "reset_peak_memory_stats", lambda d=None: note("reset", d)
    )
    monkeypatch.setattr(module.torch.cuda, "max_memory_allocated", lambda d=None: note("peak", d))

    def note(what: str, device: object) -> int:
        asked.append((what, device))
        return 3 * 2**20

    class Elsewhere(OneConvolution):
        def to(self, device: object) -> "Elsewhere":
            return self

    monkeypatch.setattr(module, "inference", lambda settings: inference(ScoreOptions()))
    monkeypatch.setattr(module, "_noise", lambda batch, size, device: noise(batch, size, cpu))
    found = measure_cost(Elsewhere(), ScoreOptions(device="cuda:1"), size=16, seconds=0)
    assert found["peak_mb"] == 3
    assert asked == [("reset", "cuda:1"), ("peak", "cuda:1")]
