"""A finished run goes to the hub, and is scored from there."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import Heard
from hub import COMMIT, serve_hub
from huggingface_hub import ModelCard, constants
from training.conftest import small

from cisdl_bench.cli.main import main
from cisdl_bench.errors import ModelError
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.models.find import find_network
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.push import push_run
from cisdl_bench.training.run import train


def test_a_run_is_pushed_and_scored_from_there(pairs64: Path, tmp_path: Path, monkeypatch) -> None:
    run = tmp_path / "run"
    record = train(small("dmac", batch=11, epochs=1), [pairs64], run, TrainOptions(), Heard())
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    with serve_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        address = push_run(run, record["checkpoint"], "someone/mine")
        files = hub.files["someone/mine"]
        assert address.startswith("https://huggingface.co/someone/mine/commit/")
        assert set(files) == {
            *("README.md", "dmac.safetensors"),
            *("training.json", "history.csv", "evaluation.csv"),
        }
        card = files["README.md"].decode()
        assert "cisdl-bench score hf:someone/mine\n" in card
        assert ModelCard(card).data.library_name == "cisdl-bench"
        words = [
            "score",
            "hf:someone/mine",
            "--data",
            str(pairs64),
            "--set",
            "training",
            "-o",
            str(tmp_path / "out"),
        ]
        shown = CliRunner().invoke(main, [*words, "--device", "cpu"], catch_exceptions=False)
        assert shown.exit_code == 0, shown.output
        result = json.loads((tmp_path / "out" / "training" / "result.json").read_text())
        assert result["request"]["detector"] == "someone.mine"
        assert result["about"]["hub"]["revision"] == COMMIT
        loaded = find_network("hf:someone/mine")
        ours = load_checkpoint(run / "dmac.pt").network.state_dict()
        theirs = loaded.network.state_dict()
        assert all(value.equal(theirs[name]) for name, value in ours.items())
        monkeypatch.setenv("HF_TOKEN", "hf_other")
        with pytest.raises(ModelError, match="the hub did not take it .* pushes it again"):
            push_run(run, record["checkpoint"], "someone/mine")
    assert (run / "dmac.pt").exists()
