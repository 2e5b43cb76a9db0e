"""A training run on its way: what decides it, what is kept of it, and how it goes on."""

import io
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cisdl_bench import __version__
from cisdl_bench.devices import Rank
from cisdl_bench.errors import CisdlError, ModelError, RunError
from cisdl_bench.models.checkpoint import load_tensors, save_checkpoint
from cisdl_bench.models.dmac_det import DmacDet
from cisdl_bench.store.atomic import read_json, write_json, write_whole
from cisdl_bench.store.torch_view import PairDataset
from cisdl_bench.training.experiments import Experiment
from cisdl_bench.training.feed import Part
from cisdl_bench.training.history import EVALUATION, HISTORY
from cisdl_bench.training.settings import Choices
from cisdl_bench.training.stages import Stage

RECORD, STATE = "training.json", "state.torch"
FORMAT = "cisdl-bench training"


@dataclass
class Run:
    """A run on its way.

    Attributes:
        experiment: What is done.
        choices: What a user chose.
        out: Its folder.
        name: Of its checkpoint.
        record: What ``training.json`` holds.
        stage: What a step is, with its networks.
        steps: How many there will be.
        step: How many there were.
        seconds: Spent on those that are kept.
        begun: When the clock was last started.
        logged: Seconds spent when ``history.csv`` was last written.
        recent: Since then, each step's pairs and losses.
    """

    experiment: Experiment
    choices: Choices
    out: Path
    name: str
    record: dict[str, Any]
    stage: Stage
    steps: int
    step: int = 0
    seconds: float = 0.0
    begun: float = field(default_factory=time.perf_counter)
    logged: float = 0.0
    recent: list[tuple[list[int], dict[str, Any]]] = field(default_factory=list)

    @property
    def checkpoint(self) -> Path:
        """The network so far, to be scored."""
        return self.out / f"{self.name}.pt"

    def spent(self) -> float:
        """Return the seconds spent on all steps."""
        return self.seconds + time.perf_counter() - self.begun


def request_of(
    experiment: Experiment, dataset: PairDataset, choices: Choices, identity: str, part: Part
) -> dict[str, Any]:
    """Return what decides the weights."""
    return {
        "experiment": experiment.name,
        "experiment_sha256": experiment.sha256,
        "seed": choices.seed,
        "data": [pairs.fingerprint for pairs in dataset.sets],
        "begins_with": identity,
        "precision": choices.precision,
        "parts_of_a_batch": part.pieces * part.ranks,
    }


def opened(out: Path, request: dict[str, Any], overwrite: bool) -> dict[str, Any]:
    """Return a folder's record: of this request, begun or there already.

    Raises:
        RunError: It holds another run.
    """
    path = out / RECORD
    if path.exists():
        there: dict[str, Any] = {}
        with suppress(CisdlError) if overwrite else nullcontext():
            there = read_json(path, "a training record")
        was = there.get("request", {})
        differing = [key for key in request if was.get(key) != request[key]]
        if not overwrite:
            if not differing:
                return there
            key = differing[0]
            raise RunError.expected(
                out,
                f"the run of this command ({key}: {request[key]})",
                f"another one ({key}: {was.get(key)})",
                "Use --overwrite to replace it, or choose another --out",
            )
    for old in (STATE, HISTORY, EVALUATION):
        (out / old).unlink(missing_ok=True)
    record = {"format": FORMAT, "complete": False, "request": request}
    write_json(path, record)
    return record


def scored_network(run: Run) -> nn.Module:
    """Return the network that is scored: with Det where the experiment has one."""
    networks = {name: learner.network for name, learner in run.stage.learners.items()}
    networks |= run.stage.frozen
    network = networks["network"]
    if "detection" not in networks:
        return network
    whole = DmacDet(run.experiment.width)
    whole.dmac, whole.detection = network, networks["detection"]  # type: ignore[assignment]
    return whole


def save(run: Run, rank: Rank) -> None:
    """Write the state, then the checkpoint, each whole or not at all."""
    if rank.number == 0:
        run.seconds, run.begun = run.spent(), time.perf_counter()
        learners = run.stage.learners
        state = {
            "format": FORMAT,
            "step": run.step,
            "seconds": run.seconds,
            "networks": {name: each.network.state_dict() for name, each in learners.items()},
            "optimizers": {name: each.optimizer.state_dict() for name, each in learners.items()},
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_whole(run.out / STATE, buffer.getbuffer())
        done = run.step == run.steps
        training = {
            **run.experiment.table_parameters,
            **{k: run.record[k] for k in ("request", "notes", "device", "processes")},
            "step": run.step,
            "steps": run.steps,
            "seconds": run.seconds,
            "finished": done,
        }
        save_checkpoint(run.checkpoint, scored_network(run), training)
        run.record |= {
            "complete": done,
            "step": run.step,
            "seconds": run.seconds,
            "checkpoint": run.checkpoint.name,
            "versions": {"cisdl-bench": __version__, "torch": str(torch.__version__)},
        }
        write_json(run.out / RECORD, run.record)
    rank.wait()


def restore(run: Run) -> None:
    """Go back to the state that was last saved.

    Raises:
        ModelError: It is broken or of another run.
    """
    try:
        state = load_tensors(run.out / STATE)
        for name, learner in run.stage.learners.items():
            learner.network.load_state_dict(state["networks"][name])
            learner.optimizer.load_state_dict(state["optimizers"][name])
        run.step, run.seconds = int(state["step"]), float(state["seconds"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise ModelError.expected(
            run.out / STATE, "the state of this run", str(error).splitlines()[0], "Use --overwrite"
        ) from error
    run.logged = run.seconds
