"""Runs that travel in half precision: what is kept, what it costs, what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training.conftest import small
from training.test_run import FAST, Ears, tensors

from cisdl_bench.errors import CisdlError, RunError
from cisdl_bench.training.initial_weights import InitialNetworks, make_networks
from cisdl_bench.training.log import read_log
from cisdl_bench.training.portable import pack_run, unpack_run
from cisdl_bench.training.run import train

STATE = "state.torch"


def begun(name: str, pairs64: Path, out: Path, start: Path | None = None) -> Path:
    """Train for a step or two, so that there is a state."""
    options = replace(FAST, max_minutes=0)
    for _ in range(2):
        train(small(name, epochs=2), [pairs64], out, options, Ears(), start=start)
    return out


def resumed(name: str, pairs64: Path, out: Path, record: dict) -> dict:
    networks = make_networks(small(name), 0, None, None).networks
    words = InitialNetworks(networks, record["initial_weights"], record["request"]["begins_with"])
    return train(small(name, epochs=2), [pairs64], out, FAST, Ears(), initial=words)


@pytest.fixture(scope="module")
def first(pairs64: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return begun("dmac", pairs64, tmp_path_factory.mktemp("portable") / "dmac")


def test_a_run_goes_on_from_half_of_its_bytes(first: Path, pairs64: Path, tmp_path: Path) -> None:
    data = pack_run(first)
    assert len(data) < 0.2 * (first / STATE).stat().st_size + 2e5
    record = unpack_run(data, tmp_path / "there")
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == [
        "evaluation.csv",
        "history.csv",
        "state.torch",
        "training.json",
    ]
    ended = resumed("dmac", pairs64, tmp_path / "there", record)
    assert ended["complete"]
    steps = [int(line["step"]) for line in read_log(tmp_path / "there" / "history.csv")]
    assert steps == list(range(1, ended["steps"] + 1))


def test_weights_come_back_within_float16_and_moments_by_their_means(first, tmp_path) -> None:
    unpack_run(pack_run(first), tmp_path)
    was, now = (torch.load(folder / STATE, weights_only=True) for folder in (first, tmp_path))
    assert now["step"] == was["step"] == 2
    for key, value in was["networks"]["network"].items():
        back = now["networks"]["network"][key]
        assert back.dtype == value.dtype
        exact = value.dim() < 2
        assert torch.allclose(back, value, rtol=0 if exact else 2**-11, atol=0 if exact else 2**-25)
    moments = zip(
        was["optimizers"]["network"]["state"].values(),
        now["optimizers"]["network"]["state"].values(),
        strict=True,
    )
    for before, after in moments:
        for key in ("square_avg", "acc_delta"):
            assert after[key].shape == before[key].shape
            if before[key].dim() > 1:
                flat, back = before[key].flatten(1), after[key].flatten(1)
                assert torch.allclose(back.mean(1), flat.mean(1), rtol=1e-4)
                assert torch.allclose(back.mean(0), flat.mean(0), rtol=1e-4)


def test_the_second_stage_travels_with_its_opponents(first, pairs64, tmp_path) -> None:
    start = first / "dmac.pt"
    name = "adv-bce-0.01-0.01-1e-5"
    begun(name, pairs64, tmp_path / "here", start)
    record = unpack_run(pack_run(tmp_path / "here"), tmp_path / "there")
    assert resumed(name, pairs64, tmp_path / "there", record)["complete"]
    weights = tensors(tmp_path / "there" / f"{name}.pt")
    assert any(key.startswith("detection.") for key in weights)


def test_a_run_of_other_data_is_refused(first, pairs64, tmp_path) -> None:
    record = unpack_run(pack_run(first), tmp_path)
    record["request"]["begins_with"] = "another file"
    with pytest.raises(RunError, match=r"begins_with: another file"):
        resumed("dmac", pairs64, tmp_path, record)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda content: content.pop("state"), "state"),
        (lambda content: content.update(format="other"), "expected the format"),
        (lambda content: content["texts"].update({"training.json": "{"}), "expected JSON"),
        (lambda content: content["texts"].pop("history.csv"), "expected the format"),
        (lambda content: content["state"].pop("networks"), "expected the state of a run"),
        (lambda content: content["state"].update(optimizers={"network": 3}), "the state of a run"),
    ],
)
def test_broken_files_are_refused_in_a_line(first, tmp_path, change, error) -> None:
    (tmp_path / "file").write_bytes(pack_run(first))
    content = torch.load(tmp_path / "file", weights_only=True)
    change(content)
    torch.save(content, tmp_path / "file")
    with pytest.raises(CisdlError, match=error):
        unpack_run((tmp_path / "file").read_bytes(), tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []
    with pytest.raises(CisdlError, match="torch file"):
        unpack_run(b"no such file", tmp_path / "there")
