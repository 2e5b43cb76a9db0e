"""``benchmarks/train_on_gpu.py`` rehearsed on the CPU: whole, on another machine, and joined."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.sources.archive import unpack
from cisdl_bench.store.pieces import read_pieces
from cisdl_bench.training.log import read_log

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "benchmarks" / "train_on_gpu.py"


def start(out: Path, work: Path, coco: Path, *more: str) -> subprocess.Popen[str]:
    words = [sys.executable, SCRIPT, out, "--rehearse", "--work", work, "--coco", coco]
    words += ["--no-compile", "--jobs", "1", "--test-pairs", "3", "--minutes", "30"]
    words += ["--sets", "combination", "--evaluate-pairs", "1", "--train-pairs", "12", *more]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module")
def out(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two runs left: one that is stopped in the first stage, one on another machine."""
    folder = tmp_path_factory.mktemp("gpu")
    with start(folder / "out", folder / "first", coco, "--dmac-minutes", "20") as stopped:
        assert stopped.stdout is not None
        next(line for line in stopped.stdout if "step 10: combination-difficult" in line)
        stopped.send_signal(signal.SIGTERM)
        lines = stopped.communicate()[0].splitlines()
    assert stopped.returncode == 130, lines
    assert lines[-1].endswith("not complete: the same command resumes")
    state = read_pieces(folder / "out", "dmac.state")
    assert state is not None
    assert state.number >= 10
    (folder / "second").mkdir()  # the same sets, which would come out the same
    (folder / "first" / "data").rename(folder / "second" / "data")
    times = ("--dmac-minutes", "0", "--adv-minutes", "0.02")
    with start(folder / "out", folder / "second", coco, *times) as finished:
        lines = finished.communicate()[0].splitlines()
    assert finished.returncode == 0, lines
    assert any(f"dmac: state of step {state.number:,}, from " in line for line in lines)
    assert lines[-1].endswith("  complete")
    return folder / "out"


def test_two_machines_leave_networks_scores_and_curves(out: Path, tmp_path: Path) -> None:
    assert all(path.stat().st_size <= 1 << 24 for path in out.iterdir())
    archive = read_pieces(out, "results.zip")
    assert archive is not None
    (tmp_path / "results.zip").write_bytes(archive.data)
    unpack(tmp_path / "results.zip", tmp_path, "results")
    results = tmp_path / "results"
    for name in ("dmac", "dmac-adv"):
        assert len(list(results.glob(f"scores/{name}/*/result.json"))) == 3
        assert (results / f"growth-{name}.png").exists()
        steps = [
            int(line["step"]) for line in read_log(results / "training" / name / "history.csv")
        ]
        assert steps == sorted(set(steps))
    assert "dmac-adv" in (results / "table-paper-1.md").read_text()
    summary = json.loads((results / "summary.json").read_text())
    assert summary["stages"]["dmac"]["finished"]
    assert summary["card"]
    precisions = [
        line["precision"] for line in json.loads((results / "parity-dmac.json").read_text())
    ]
    assert precisions == ["fp32"] * 6 + ["bf16"] * 3


def test_pieces_are_joined_to_networks(out: Path) -> None:
    subprocess.run([sys.executable, SCRIPT, out, "--rehearse", "--join"], check=True)
    assert load_checkpoint(out / "dmac.safetensors").about["architecture"] == "dmac"
    joined = load_checkpoint(out / "dmac-adv.safetensors")
    assert joined.about["architecture"] == "dmac-det"
    assert joined.about["training"]["initial_weights"].startswith("dmac.safetensors, which began")
