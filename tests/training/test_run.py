"""Whole runs: learning, going on where one stopped, several processes, what goes wrong."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import Heard
from training.conftest import ADAM, SIDE, small

from cisdl_bench.errors import ModelError, RunError
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.store.torch_view import PairDataset
from cisdl_bench.training.checkpoint import TrainingError
from cisdl_bench.training.experiments import Experiment
from cisdl_bench.training.feed import make_target
from cisdl_bench.training.log import read_log
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.run import train

FAST = TrainOptions(log_every=1, save_every=2)


class Ears(Heard):
    """Hears losses too."""

    def note(self, text: str) -> None:
        self.last = text


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path).network.state_dict()


def same(a: Path, b: Path) -> bool:
    first, second = tensors(a), tensors(b)
    return all(torch.equal(first[name], second[name]) for name in first)


def iou(path: Path, pairs: Path) -> float:
    """Mean IoU at the network's own resolution over true masks that are not empty there."""
    dataset, network = PairDataset([pairs]), load_checkpoint(path).network
    network = getattr(network, "dmac", network)
    batch = dataset.__getitems__(range(len(dataset)))
    found = []
    with torch.no_grad():
        for side, logits in zip(
            ("probe", "donor"), network(batch["probe"], batch["donor"]), strict=True
        ):
            called = logits[:, 1] > logits[:, 0]
            true = make_target(batch[f"{side}_mask"], logits.shape[-1]) > 0
            for a, b in zip(called, true, strict=True):
                if b.any():
                    found.append((a & b).sum().item() / (a | b).sum().item())
    return sum(found) / len(found)


@pytest.fixture(scope="module")
def learnt(pairs64: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DMAC after it has learnt 33 pairs by heart."""
    out = tmp_path_factory.mktemp("learnt")
    by_heart = small("dmac", batch=11, epochs=130, flip=0.0, swap=0.0, optimizer=ADAM)
    record = train(by_heart, [pairs64], out, TrainOptions(), Ears())
    assert record["complete"]
    return out / "dmac.pt"


def test_a_network_learns_pairs_by_heart(learnt: Path, pairs64: Path) -> None:
    assert iou(learnt, pairs64) > 0.9
    losses = [float(line["loss"]) for line in read_log(learnt.parent / "history.csv")]
    assert losses[-1] < 0.05 < losses[0]
    about = load_checkpoint(learnt).about
    assert about["configuration"] == {"width": 0.125}
    assert about["training"]["finished"]


def test_the_adversarial_stage_keeps_what_was_learnt(
    learnt: Path, pairs64: Path, tmp_path: Path
) -> None:
    of = small("dmac-adv", batch=11, epochs=2, flip=0.0, swap=0.0)
    train(of, [pairs64], tmp_path, FAST, Ears(), name="dmac-adv", start=learnt)
    path = tmp_path / "dmac-adv.pt"
    assert iou(path, pairs64) > 0.9
    lines = read_log(tmp_path / "history.csv")
    assert len(lines) == 6
    for line in lines:
        weighed = float(line["ce"]) + 0.01 * (float(line["det_g"]) + float(line["dis_g"]))
        assert float(line["loss"]) == pytest.approx(weighed, rel=1e-4)
    assert float(lines[-1]["det_d"]) < float(lines[0]["det_d"])
    training = load_checkpoint(path).about["training"]
    expected = {"lambda_det": "0.01", "lambda_dis": "0.01", "learning_rate": "1e-5"}
    assert {name: training[name] for name in expected} == expected
    network = load_checkpoint(path).network
    batch = PairDataset([pairs64]).__getitems__(range(33))
    with torch.no_grad():
        score = network.detect(batch["probe"], batch["donor"]).score
    assert score.shape == (33,)
    assert ((score >= 0) & (score <= 1)).all()


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("adv-hin-0.01-0.01-1e-5", {"ce", "det_g", "dis_g", "det_d", "dis_d"}),
        ("adv-bce-0-0.01-1e-5", {"ce", "dis_g", "dis_d"}),
        ("det", {"ce", "det_g", "det_d"}),
        ("adv-det", {"ce", "det_g", "det_d"}),
        ("dmac-star", set()),
    ],
)
def test_each_row_has_its_losses(
    learnt: Path, pairs64: Path, tmp_path: Path, name: str, terms: set[str]
) -> None:
    train(small(name, batch=33), [pairs64], tmp_path, FAST, Ears(), start=learnt)
    (line,) = read_log(tmp_path / "history.csv")
    assert {n for n in ("ce", "det_g", "dis_g", "det_d", "dis_d") if line[n]} == terms
    architecture = "dmac-det" if "det_d" in terms else "dmac"
    assert load_checkpoint(tmp_path / f"{name}.pt").about["architecture"] == architecture


def test_tuning_det_leaves_dmac_as_it_is(learnt: Path, pairs64: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "adv", tmp_path / "dagger"
    train(small("dmac-adv", batch=11), [pairs64], first, FAST, Ears(), start=learnt)
    start = first / "adv-bce-0.01-0.01-1e-5.pt"
    tuned = small("adv-det-dagger", batch=11, epochs=2)
    train(tuned, [pairs64], second, FAST, Ears(), start=start)
    before, after = tensors(start), tensors(second / "adv-det-dagger.pt")
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all(name.startswith("detection.") for name in moved)


def test_pieces_add_up_to_the_batch(pairs64: Path, tmp_path: Path) -> None:
    """Without batch statistics two pieces would equal one; with them the first loss is close."""
    for pieces in (1, 3):
        choices = replace(FAST, pieces=pieces)
        train(small("dmac", batch=33, epochs=1), [pairs64], tmp_path / f"{pieces}", choices, Ears())
    one, three = (read_log(tmp_path / f"{n}" / "history.csv")[0] for n in (1, 3))
    assert float(three["loss"]) == pytest.approx(float(one["loss"]), rel=0.1)
    assert one["loss"] != three["loss"]


def test_bf16_keeps_float32_weights(pairs64: Path, tmp_path: Path) -> None:
    of = small("dmac", batch=11, epochs=1)
    train(of, [pairs64], tmp_path, replace(FAST, precision="bf16"), Ears())
    assert tensors(tmp_path / "dmac.pt")["features.conv1_1.weight"].dtype == torch.float32


# Going on


@pytest.mark.parametrize("name", ["dmac", "dmac-adv", "adv-det-dagger"])
def test_stopped_in_the_middle_it_goes_on_bit_for_bit(
    learnt: Path, pairs64: Path, tmp_path: Path, name: str
) -> None:
    start = None if name == "dmac" else learnt
    if name == "adv-det-dagger":
        train(small("dmac-adv", batch=33), [pairs64], tmp_path / "a", FAST, Ears(), start=learnt)
        start = tmp_path / "a" / "adv-bce-0.01-0.01-1e-5.pt"
    of, whole, cut = small(name, batch=11, epochs=1), tmp_path / "whole", tmp_path / "cut"
    train(of, [pairs64], whole, FAST, Ears(), name="n", start=start)
    ears = Ears()
    stopped = train(of, [pairs64], cut, replace(FAST, max_minutes=0), ears, name="n", start=start)
    assert (stopped["complete"], stopped["step"]) == (False, 1)
    assert "0 minutes are over at step 1 of 3; saved" in ears.lines[-1]
    assert not load_checkpoint(cut / "n.pt").about["training"]["finished"]
    record = train(of, [pairs64], cut, FAST, Ears(), name="n", start=start)
    assert record["complete"]
    assert same(whole / "n.pt", cut / "n.pt")
    steps = [[line["step"] for line in read_log(p / "history.csv")] for p in (whole, cut)]
    assert steps[0] == steps[1] == list("123")
    losses = [[line["loss"] for line in read_log(p / "history.csv")] for p in (whole, cut)]
    assert losses[0] == losses[1]
    assert train(of, [pairs64], cut, FAST, Ears(), name="n", start=start)["complete"]


def command(experiment: Experiment, pairs: Path, out: Path, start: Path | None) -> list[str]:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent.parent)!r})\n"
        "from training.test_run import *\n"
        f"of = small({experiment.name!r}, batch={experiment.batch}, epochs={experiment.epochs})\n"
        f"start = {str(start)!r}\n"
        f"train(of, [Path({str(pairs)!r})], Path({str(out)!r}), FAST, Ears(), name='n',\n"
        "      start=None if start == 'None' else Path(start))\n"
    )
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("name", ["dmac", "dmac-adv"])
def test_killed_it_goes_on_bit_for_bit(
    learnt: Path, pairs64: Path, tmp_path: Path, name: str
) -> None:
    start = None if name == "dmac" else learnt
    epochs = 4 if name == "dmac" else 2
    of, whole, cut = small(name, batch=11, epochs=epochs), tmp_path / "whole", tmp_path / "cut"
    train(of, [pairs64], whole, FAST, Ears(), name="n", start=start)
    process = subprocess.Popen(command(of, pairs64, cut, start), stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    history, state = cut / "history.csv", cut / "state.torch"
    while not (state.exists() and len(history.read_text().splitlines()) > epochs):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    ears = Ears()
    train(of, [pairs64], cut, FAST, ears, name="n", start=start)
    assert any("resumes after step" in line for line in ears.lines)
    assert same(whole / "n.pt", cut / "n.pt")
    steps = [int(line["step"]) for line in read_log(cut / "history.csv")]
    assert steps == list(range(1, 3 * epochs + 1))


def test_ctrl_c_saves_and_says_how_to_go_on(pairs64: Path, tmp_path: Path) -> None:
    class Interrupts(Ears):
        def advance(self, n: int) -> None:
            super().advance(n)
            if self.counts[-1][2] == 22:
                os.kill(os.getpid(), signal.SIGINT)

    ears = Interrupts()
    of = small("dmac", batch=11, epochs=2)
    with pytest.raises(KeyboardInterrupt):
        train(of, [pairs64], tmp_path, FAST, ears)
    assert "stopped at step 2 of 6; saved, the same command resumes" in ears.lines[-1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert train(of, [pairs64], tmp_path, FAST, Ears())["complete"]


# What goes wrong


def test_a_loss_that_is_no_number_stops_with_its_pairs(
    pairs64: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cisdl_bench.training import loss_terms

    plain, calls = loss_terms.spatial_cross_entropy, []

    def breaks(logits, targets):
        calls.append(1)
        return plain(logits, targets) * (float("nan") if len(calls) == 4 else 1)

    monkeypatch.setattr(loss_terms, "spatial_cross_entropy", breaks)
    of = small("dmac", batch=3, epochs=1)
    with pytest.raises(
        TrainingError, match=r"Loss is NaN at step 4 \(pairs training/\d.*lower the learning rate"
    ):
        train(of, [pairs64], tmp_path, replace(FAST, log_every=5), Ears())
    assert all(v.isfinite().all() for v in tensors(tmp_path / "dmac.pt").values())


def test_another_run_is_refused(pairs64: Path, tmp_path: Path) -> None:
    of = small("dmac", batch=33, epochs=1)
    train(of, [pairs64], tmp_path, FAST, Ears())
    for change in ({"seed": 1}, {"precision": "bf16"}):
        with pytest.raises(RunError, match=f"the run of this command .{next(iter(change))}"):
            train(of, [pairs64], tmp_path, replace(FAST, **change), Ears())
    with pytest.raises(RunError, match="experiment_sha256"):
        train(replace(of, flip=0.1), [pairs64], tmp_path, FAST, Ears())
    train(of, [pairs64], tmp_path, replace(FAST, seed=1), Ears(), overwrite=True)
    with pytest.raises(RunError, match="batch 33: expected a number that pieces times processes"):
        train(of, [pairs64], tmp_path / "b", replace(FAST, pieces=2), Ears())


def test_a_broken_state_is_refused(pairs64: Path, tmp_path: Path) -> None:
    of = small("dmac", batch=11, epochs=1)
    train(of, [pairs64], tmp_path, replace(FAST, max_minutes=0), Ears())
    state = tmp_path / "state.torch"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"state.torch: expected a whole torch file"):
        train(of, [pairs64], tmp_path, FAST, Ears())


def test_evaluation_does_not_change_what_is_learnt(pairs64: Path, tmp_path: Path) -> None:
    of, seen = small("dmac", batch=11, epochs=1), []

    def evaluate(network):
        assert not network.training
        probe = torch.zeros(1, 3, SIDE, SIDE)
        seen.append(network.detect(probe, probe).probe.shape)
        return [{"set": "combination-easy", "iou": 0.5, "mcc": 0.25, "nmm": 0.0, "pairs": 7}]

    choices = replace(FAST, evaluate_every=2)
    train(of, [pairs64], tmp_path / "a", choices, Ears(), evaluate=evaluate)
    train(of, [pairs64], tmp_path / "b", FAST, Ears())
    assert same(tmp_path / "a" / "dmac.pt", tmp_path / "b" / "dmac.pt")
    lines = read_log(tmp_path / "a" / "evaluation.csv")
    assert [(line["step"], line["pairs"]) for line in lines] == [("2", "22"), ("3", "33")]
    assert len(seen) == 2


# Several processes


def test_two_processes_learn_what_one_does_in_two_pieces(pairs64: Path, tmp_path: Path) -> None:
    """The same pairs once each, the same losses and weights, for both stages."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from pathlib import Path
import torch
from training.test_run import *
from cisdl_bench.devices import ranked
from cisdl_bench.training import run as module

torch.set_num_threads(1)
torch.nn.Dropout.forward = lambda self, x: x  # each process would drop other units
seen = []
plain = module._Loop._note_seen
def noting(loop, source):
    for batch in plain(loop, source):
        seen.extend(batch["index"].tolist())
        yield batch
module._Loop._note_seen = noting
out, pairs = Path({str(tmp_path)!r}), Path({str(pairs64)!r})
with ranked() as rank:
    choices = replace(FAST, pieces=2 // rank.total)
    name = f"of-{{rank.total}}"
    of = small("dmac", batch=22, epochs=2)
    train(of, [pairs], out / name, choices, Ears(), rank=rank)
    (out / f"seen-{{rank.total}}-{{rank.number}}").write_text(" ".join(map(str, seen)))
    adv = small("dmac-adv", batch=22, epochs=1)
    train(adv, [pairs], out / f"adv-{{name}}", choices, Ears(), name="adv",
          start=out / "of-1" / "dmac.pt", rank=rank)
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    subprocess.run([sys.executable, script], check=True, env=environment)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([*launch, script], check=True, env=environment, capture_output=True)
    seen = [(tmp_path / f"seen-{n}").read_text().split() for n in ("1-0", "2-0", "2-1")]
    assert sorted(seen[0]) == sorted(seen[1] + seen[2])
    assert not set(seen[1][:11]) & set(seen[2][:11])
    first = [int(n) for n in seen[0][:33]]
    assert sorted(first) == list(range(33))
    for folder, columns in (("", ("loss",)), ("adv-", ("loss", "ce", "dis_d", "dis_g"))):
        one, two = (read_log(tmp_path / f"{folder}of-{n}" / "history.csv") for n in (1, 2))
        assert len(one) == len(two) == (2 if folder else 3)
        for a, b in zip(one, two, strict=True):
            for column in columns:
                assert float(b[column]) == pytest.approx(float(a[column]), rel=1e-4)
        name = "adv.pt" if folder else "dmac.pt"
        one, two = (tensors(tmp_path / f"{folder}of-{n}" / name) for n in (1, 2))
        counted = [key for key in one if key.endswith(("running_mean", "running_var"))]
        assert len(counted) == (24 if folder else 16)
        for key in one:
            # Adam divides by a gradient's size, so rounding moves a weight of a tiny gradient.
            close = 1e-5 if key in counted else 1e-3
            gap = (one[key].double() - two[key].double()).abs().max()
            assert gap <= close * one[key].double().abs().max(), key
