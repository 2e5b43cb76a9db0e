"""What is kept of a run: saved before it is evaluated, only finite numbers, whole to the end."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from training.conftest import SIDE, small
from training.test_run import FAST, Ears, same

from cisdl_bench.devices import Rank
from cisdl_bench.errors import ModelError, RunError
from cisdl_bench.metrics.registry import headline_metrics
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.report.figures.growth import draw_growth
from cisdl_bench.training import checkpoint as state
from cisdl_bench.training import record as record_module
from cisdl_bench.training import run as module
from cisdl_bench.training.checkpoint import TrainingError
from cisdl_bench.training.log import Log, read_log
from cisdl_bench.training.record import EVALUATION
from cisdl_bench.training.run import train

OF = small("dmac", batch=11, epochs=1)  # three steps


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


def evaluate(network: nn.Module) -> list[dict[str, Any]]:
    """Two sets whose numbers tell the weights."""
    plain: Any = network
    probe = torch.arange(3 * SIDE * SIDE).reshape(1, 3, SIDE, SIDE).remainder(251).byte()
    with torch.no_grad():
        found = plain.detect(probe, probe.flip(-1))
    iou = float(found.probe.double().mean())
    return [{"set": name, "iou": iou, "mcc": iou, "nmm": iou} for name in ("a", "b")]


@pytest.fixture(scope="module")
def whole(pairs64: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run, evaluated after steps 2 and 3."""
    out = tmp_path_factory.mktemp("whole")
    train(OF, [pairs64], out, replace(FAST, evaluate_every=2), Ears(), evaluate=evaluate)
    return out


WRITES = ["state.torch", "dmac.pt", "training.json", "evaluation.csv"]


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
def test_killed_after_any_write_it_ends_in_the_same_bytes(
    whole: Path, pairs64: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """A run writes its files in order, time and again; it is killed right after each write."""
    done: list[str] = []

    def counted(plain: Any, path_of: Any) -> Any:
        def write(*words: Any, **more: Any) -> Any:
            result = plain(*words, **more)
            name = Path(path_of(words)).name
            if name in WRITES:
                done.append(name)
                if len(done) == after:
                    raise Killed
            return result

        return write

    choices = replace(FAST, evaluate_every=2)
    with monkeypatch.context() as patch:
        patch.setattr(state, "write_whole", counted(state.write_whole, lambda w: w[0]))
        patch.setattr(state, "write_json", counted(state.write_json, lambda w: w[0]))
        patch.setattr(
            record_module, "write_json", counted(record_module.write_json, lambda w: w[0])
        )
        patch.setattr(state, "save_checkpoint", counted(state.save_checkpoint, lambda w: w[0]))
        patch.setattr(Log, "add", counted(Log.add, lambda w: w[0].path))
        try:
            train(OF, [pairs64], tmp_path, choices, Ears(), evaluate=evaluate)
        except Killed:
            pass
        else:
            pytest.fail(f"only {len(done)} writes: {done}")
    record = train(OF, [pairs64], tmp_path, choices, Ears(), evaluate=evaluate)
    assert record["complete"]
    assert json.loads((tmp_path / "training.json").read_text())["complete"]
    assert same(whole / "dmac.pt", tmp_path / "dmac.pt")
    assert load_checkpoint(tmp_path / "dmac.pt").about["training"]["finished"]
    assert (tmp_path / EVALUATION).read_text() == (whole / EVALUATION).read_text()
    losses = [[line["loss"] for line in read_log(p / "history.csv")] for p in (whole, tmp_path)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("after", [1, 2])
def test_the_second_stage_killed_after_its_state_ends_in_the_same_weights(
    whole: Path, pairs64: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """The checkpoint is written after the state: a kill between them must not leave the old one."""
    of, start = small("dmac-adv", batch=11, epochs=1), whole / "dmac.pt"
    train(of, [pairs64], tmp_path / "whole", FAST, Ears(), name="n", start=start)
    plain, written = state.write_whole, []

    def write(path: Path, *pieces: Any, **more: Any) -> None:
        plain(path, *pieces, **more)
        written.append(path)
        if len(written) == after:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(state, "write_whole", write)
        with pytest.raises(Killed):
            train(of, [pairs64], tmp_path / "cut", FAST, Ears(), name="n", start=start)
    assert written[-1].name == "state.torch"
    record = train(of, [pairs64], tmp_path / "cut", FAST, Ears(), name="n", start=start)
    assert record["complete"]
    assert same(tmp_path / "whole" / "n.pt", tmp_path / "cut" / "n.pt")


def test_the_state_is_written_before_the_network_is_evaluated(
    pairs64: Path, tmp_path: Path
) -> None:
    def dies(network: nn.Module) -> list[dict[str, Any]]:
        raise Killed

    choices = replace(FAST, save_every=100, evaluate_every=2)
    with pytest.raises(Killed):
        train(OF, [pairs64], tmp_path, choices, Ears(), evaluate=dies)
    assert torch.load(tmp_path / "state.torch", weights_only=True)["step"] == 2
    assert load_checkpoint(tmp_path / "dmac.pt").about["training"]["step"] == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_an_evaluation_between_two_batches(
    whole: Path, pairs64: Path, tmp_path: Path, number: int
) -> None:
    calls: list[int] = []

    def slow(network: nn.Module) -> list[dict[str, Any]]:
        plain: Any = network
        probe = torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8)
        for _ in range(50):
            calls.append(1)
            if len(calls) == 3:
                os.kill(os.getpid(), number)
            plain.detect(probe, probe)
        return []

    ears, choices = Ears(), replace(FAST, save_every=100, evaluate_every=2)
    with pytest.raises(KeyboardInterrupt):
        train(OF, [pairs64], tmp_path, choices, ears, evaluate=slow)
    assert len(calls) == 3
    assert "stopped at step 2 of 3; saved, the same command resumes" in ears.lines[-1]
    assert (tmp_path / EVALUATION).read_text().count("\n") == 1
    train(OF, [pairs64], tmp_path, choices, Ears(), evaluate=evaluate)
    assert (tmp_path / EVALUATION).read_text() == (whole / EVALUATION).read_text()
    assert same(whole / "dmac.pt", tmp_path / "dmac.pt")


def test_stopped_in_the_last_evaluation_it_is_not_finished(
    whole: Path, pairs64: Path, tmp_path: Path
) -> None:
    def interrupted(network: nn.Module) -> list[dict[str, Any]]:
        os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(network)

    choices, ears = replace(FAST, evaluate_every=100), Ears()
    with pytest.raises(KeyboardInterrupt):
        train(OF, [pairs64], tmp_path, choices, ears, evaluate=interrupted)
    assert "stopped at step 3 of 3; saved" in ears.lines[-1]
    assert not json.loads((tmp_path / "training.json").read_text())["complete"]
    assert same(whole / "dmac.pt", tmp_path / "dmac.pt")
    record = train(OF, [pairs64], tmp_path, choices, Ears(), evaluate=evaluate)
    assert record["complete"]
    lines = [line for line in read_log(whole / EVALUATION) if line["step"] == "3"]
    assert read_log(tmp_path / EVALUATION) == lines


@pytest.mark.parametrize("where", ["weight", "running_var", "optimizer"])
def test_what_is_not_finite_is_never_kept(
    whole: Path, pairs64: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """After step 3 one number of a weight, a statistic or the optimizer's state is infinite."""
    plain = module.make_stage

    def spoilt(networks: Any, *rest: Any) -> Any:
        stage, steps = plain(networks, *rest), []
        step = stage.step

        def spoils(batches: Any) -> Any:
            terms = step(batches)
            steps.append(1)
            if len(steps) == 3:
                learner = stage.learners["network"]
                if where == "optimizer":
                    first = next(iter(learner.optimizer.state.values()))
                    first["square_avg"][(0,) * first["square_avg"].dim()] = torch.inf
                else:
                    tensors = learner.network.state_dict()
                    name = next(k for k in tensors if k.endswith(where) and "aspp" in k)
                    tensors[name][(0,) * tensors[name].dim()] = torch.nan
            return terms

        stage.step = spoils
        return stage

    with monkeypatch.context() as patch:
        patch.setattr(module, "make_stage", spoilt)
        with pytest.raises(TrainingError) as caught:
            train(OF, [pairs64], tmp_path, FAST, Ears())
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}: network: ")
    assert "NaN or infinite numbers after step 3" in said
    assert where in said
    assert "step 2 is kept: lower the learning rate" in said
    assert torch.load(tmp_path / "state.torch", weights_only=True)["step"] == 2
    assert all(
        v.isfinite().all()
        for v in load_checkpoint(tmp_path / "dmac.pt").network.state_dict().values()
    )
    assert train(OF, [pairs64], tmp_path, FAST, Ears())["complete"]
    assert same(whole / "dmac.pt", tmp_path / "dmac.pt")


def test_overwrite_removes_the_old_network(pairs64: Path, tmp_path: Path) -> None:
    train(OF, [pairs64], tmp_path, FAST, Ears(), name="old")
    assert (tmp_path / "old.pt").exists()
    (tmp_path / "mine.txt").write_text("kept")

    class Stops(Ears):
        def say(self, message: str) -> None:
            raise Killed

    with pytest.raises(Killed):  # before the first step
        train(OF, [pairs64], tmp_path, FAST, Stops(), name="new", overwrite=True)
    left = {path.name for path in tmp_path.iterdir()} - {".lock"}
    assert left == {"training.json", "mine.txt", "history.csv", "evaluation.csv"}


def test_overwrite_removes_nothing_before_its_inputs_are_sound(
    pairs64: Path, tmp_path: Path
) -> None:
    train(OF, [pairs64], tmp_path, FAST, Ears())
    before = (tmp_path / "dmac.pt").read_bytes()
    vgg = tmp_path / "gone.pth"
    with pytest.raises(ModelError, match="gone.pth"):
        train(OF, [pairs64], tmp_path, FAST, Ears(), overwrite=True, vgg=vgg)
    assert (tmp_path / "dmac.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: b"{", "training.json: expected JSON"),
        (lambda _: b"\xff\xfe", "training.json: expected JSON"),
        (lambda _: b"[]", "training.json: expected"),
        (lambda r: json.dumps({**r, "complete": "yes"}).encode(), "complete: expected"),
        (lambda r: json.dumps({**r, "request": [1]}).encode(), "request: expected"),
        (lambda r: json.dumps({**r, "step": "2"}).encode(), "step: expected"),
        (lambda r: json.dumps({**r, "checkpoint": 3}).encode(), "checkpoint: expected"),
        (lambda r: json.dumps({**r, "checkpoint": "../x.pt"}).encode(), "checkpoint: expected"),
        (lambda r: json.dumps({**r, "checkpoint": "x" * 300}).encode(), "checkpoint: expected"),
        (lambda r: json.dumps({**r, "checkpoint": "a\0b"}).encode(), "checkpoint: expected"),
        (lambda r: json.dumps({**r, "step": -1}).encode(), "step: expected"),
        (
            lambda r: json.dumps(r)[:-1].encode() + b', "step": 1' + b"0" * 5000 + b"}",
            "expected JSON",
        ),
        (lambda r: json.dumps({"complete": True, "request": {}}).encode(), "format"),
        (lambda r: json.dumps({**r, "format": "x"}).encode(), "expected the format"),
        (lambda r: json.dumps({**r, "request": {}}).encode(), "expected the run of this command"),
    ],
)
def test_a_broken_record_is_refused_and_can_be_overwritten(
    pairs64: Path, tmp_path: Path, change: Any, message: str
) -> None:
    train(OF, [pairs64], tmp_path, replace(FAST, max_minutes=0), Ears())
    path = tmp_path / "training.json"
    path.write_bytes(change(json.loads(path.read_text())))
    with pytest.raises(RunError, match=message) as caught:
        train(OF, [pairs64], tmp_path, FAST, Ears())
    assert "--overwrite" in str(caught.value)
    assert "Generate" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert train(OF, [pairs64], tmp_path, FAST, Ears(), overwrite=True)["complete"]


def test_a_finished_run_without_its_network_writes_it_again(
    whole: Path, pairs64: Path, tmp_path: Path
) -> None:
    train(OF, [pairs64], tmp_path, FAST, Ears())
    (tmp_path / "dmac.pt").unlink()
    assert train(OF, [pairs64], tmp_path, FAST, Ears())["complete"]
    assert same(whole / "dmac.pt", tmp_path / "dmac.pt")
    (tmp_path / "dmac.pt").unlink()
    (tmp_path / "state.torch").unlink()
    with pytest.raises(RunError, match=r"state.torch: expected the state of step 3, got no such"):
        train(OF, [pairs64], tmp_path, FAST, Ears())


@pytest.mark.parametrize(
    "change",
    [
        {"step": 99},
        {"step": "x"},
        {"networks": {}},
        {"networks": []},
        {"optimizers": {"network": 3}},
        {"step": float("inf")},
        {"step": -1},
        {"spoil": torch.nan},
        {"spoil": "shape"},
    ],
)
def test_a_state_of_something_else_is_refused(
    pairs64: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    train(OF, [pairs64], tmp_path, replace(FAST, max_minutes=0), Ears())
    path = tmp_path / "state.torch"
    content = {**torch.load(path, weights_only=True), **change}
    if "spoil" in change:
        of_first = content["optimizers"]["network"]["state"][0]
        value = of_first["square_avg"]
        bad = torch.ones(3) if change["spoil"] == "shape" else torch.full_like(value, torch.nan)
        of_first["square_avg"] = bad
    torch.save(content, path)
    with pytest.raises(
        ModelError, match=r"state.torch: expected the state of this run.*Use --over"
    ):
        train(OF, [pairs64], tmp_path, FAST, Ears())


def test_a_log_is_cut_to_whole_lines_of_steps_that_are_kept(tmp_path: Path) -> None:
    log = Log(tmp_path / "l.csv", ("step", "loss"))
    log.cut(0)
    log.add({"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25})
    log.add({"step": 3, "loss": 0.125})
    assert log.has(3)
    assert not log.has(4)
    with log.path.open("a") as file:
        file.write("x,y\n\n4,0.1")
    log.cut(2)
    assert log.path.read_text() == "step,loss\n1,0.5\n2,0.25\n"
    log.cut(0)
    assert log.path.read_text() == "step,loss\n"


def test_a_process_of_another_rank_writes_nothing(pairs64: Path, tmp_path: Path) -> None:
    class Alone(Rank):
        def wait(self) -> None: ...

        def any(self, here: bool) -> bool:
            return here

    train(OF, [pairs64], tmp_path, replace(FAST, max_minutes=0), Ears())
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.name != ".lock"}
    train(OF, [pairs64], tmp_path, FAST, Ears(), rank=Alone(1, 1))
    assert before == {p: p.read_bytes() for p in tmp_path.iterdir() if p.name != ".lock"}


def test_what_a_kill_left_half_written_is_swept(pairs64: Path, tmp_path: Path) -> None:
    train(OF, [pairs64], tmp_path, replace(FAST, max_minutes=0), Ears())
    for name in ("state.torch", "dmac.pt", "training.json"):
        (tmp_path / f".{name}-a1b2c3d4.part").write_bytes(b"half")
    train(OF, [pairs64], tmp_path, FAST, Ears())
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step,pairs,set,iou,mcc,nmm\n1,x,a,0,0,0\n", "line 2: pairs: expected a number, got 'x'"),
        (
            f"step,pairs,set,{','.join(headline_metrics())}\n1,2,a\n",
            f"line 2: {headline_metrics()[0]}: expected a number, got None",
        ),
        ("a,b\n1,2\n", "line 2: pairs: expected a number"),
    ],
)
def test_a_log_that_was_edited_is_refused_in_a_line(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / EVALUATION).write_text(text)
    with pytest.raises(RunError, match=message):
        draw_growth([tmp_path])
    (tmp_path / EVALUATION).write_bytes(b"\xff\xfe,\n")
    with pytest.raises(RunError, match="expected a log of"):
        draw_growth([tmp_path])
