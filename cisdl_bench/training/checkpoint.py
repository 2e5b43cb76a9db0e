"""A training run under way, its saved state, and resuming from that."""

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cisdl_bench import __version__
from cisdl_bench.devices import Rank
from cisdl_bench.errors import CisdlError, ModelError
from cisdl_bench.models.checkpoints.checkpoint import load_tensors, save_checkpoint
from cisdl_bench.models.detection import Detection
from cisdl_bench.models.networks.dmac_det import DmacDet
from cisdl_bench.pairs import Pair
from cisdl_bench.store.atomic import write_json, write_whole
from cisdl_bench.training.experiments import Experiment
from cisdl_bench.training.loggers import Logger
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.record import FORMAT, RECORD, STATE, TRAIN_ANEW
from cisdl_bench.training.stages import Stage

#: What a checkpoint carries of its training record.
_KEPT = (
    *("request", "notes", "initial_weights", "device", "processes"),
    *("step", "steps", "seconds"),
)


class TrainingError(CisdlError):
    """Training has diverged: a loss or a weight is NaN or infinite."""


@dataclass
class Run:
    """A run on its way.

    Attributes:
        experiment: Experiment that is trained.
        options: Device, precision, seed and so on.
        out: Folder of the run.
        name: Name of the checkpoint, without an ending.
        record: Content of ``training.json``.
        stage: Stage of training, which has the networks and makes a step.
        steps: Number of steps of the whole run.
        step: Number of steps made so far.
        saved: Step of the state that is on disk; None where there is none.
        seconds: Seconds spent on the steps that are kept.
        begun: Time at which the clock was last started, of ``perf_counter``.
        logged: Seconds spent when ``history.csv`` was last written.
        recent: Pairs and losses of each step since ``history.csv`` was last written.
        loggers: Loggers that are told the numbers of both logs.
        shown: Pairs whose answers loggers are shown after each evaluation.
        detect: What evaluations call instead of the network's own ``detect``; None calls that.
    """

    experiment: Experiment
    options: TrainOptions
    out: Path
    name: str
    record: dict[str, Any]
    stage: Stage
    steps: int
    step: int = 0
    saved: int | None = None
    seconds: float = 0.0
    begun: float = field(default_factory=time.perf_counter)
    logged: float = 0.0
    recent: list[tuple[list[int], dict[str, Any]]] = field(default_factory=list)
    loggers: list[Logger] = field(default_factory=list)
    shown: Sequence[Pair] = ()
    detect: Callable[[Tensor, Tensor], Detection[Tensor]] | None = None

    @property
    def checkpoint(self) -> Path:
        """The network so far, to be scored."""
        return self.out / f"{self.name}.pt"

    @property
    def advice(self) -> str:
        """What is kept of a run that diverged, and what to do."""
        kept = "Nothing was saved yet"
        if self.saved is not None:
            kept = f"The state of step {self.saved:,} is kept"
        return f"{kept}: lower the learning rate, or use --precision fp32."

    def spent(self) -> float:
        """Return the seconds spent on all steps."""
        return self.seconds + time.perf_counter() - self.begun


def scored_network(run: Run) -> nn.Module:
    """Return the network that is scored: with Det where the experiment has one."""
    networks = {name: learner.network for name, learner in run.stage.learners.items()}
    return assemble_network(networks | run.stage.frozen, run.experiment)


def assemble_network(networks: Mapping[str, nn.Module], experiment: Experiment) -> nn.Module:
    """Return the network that is scored, of an experiment's networks by name."""
    network = networks["network"]
    if "detection" not in networks:
        return network
    together = DmacDet(experiment.width, experiment.pictures)
    together.dmac, together.detection = network, networks["detection"]  # type: ignore[assignment]
    return together


def describe_training(experiment: Experiment, record: dict[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint says of its training, from the run's record."""
    return {
        **experiment.table_parameters,
        **{k: record[k] for k in _KEPT if k in record},
        "finished": record["step"] == record["steps"],
    }


def require_finite(run: Run) -> None:
    """Refuse to keep weights, statistics or an optimizer's state that are not finite.

    Raises:
        TrainingError: One is not; the step and the tensor are named.
    """
    bad = _not_finite(run)
    if bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise TrainingError(
            f"{run.out}: {bad[0]}{more} holds NaN or infinite numbers after step {run.step:,}. "
            f"{run.advice}"
        )


def _not_finite(run: Run) -> list[str]:
    """Return the names of the weights, statistics and optimizers' numbers that are not finite."""
    numbers: dict[str, Tensor] = {}
    for name, learner in run.stage.learners.items():
        numbers |= {f"{name}: {key}": value for key, value in learner.network.state_dict().items()}
        for number, values in learner.optimizer.state_dict()["state"].items():
            numbers |= {f"{name}: optimizer {number}: {key}": v for key, v in values.items()}
    tensors = {
        key: v for key, v in numbers.items() if isinstance(v, Tensor) and v.is_floating_point()
    }
    finite = torch.stack([v.isfinite().all().cpu() for v in tensors.values()]).tolist()
    return [key for key, fine in zip(tensors, finite, strict=True) if not fine]


def save(run: Run, rank: Rank, *, complete: bool = False) -> None:
    """Write the state, then the checkpoint, then the record, each whole or not at all.

    Args:
        run: Run to save.
        rank: This process among several; the first one writes.
        complete: Whether no step and no evaluation is left.

    Raises:
        TrainingError: A number is not finite; what was saved before is kept.
    """
    require_finite(run)
    if rank.number == 0:
        run.seconds, run.begun = run.spent(), time.perf_counter()
        learners = run.stage.learners
        state = {
            "format": FORMAT,
            "step": run.step,
            "seconds": run.seconds,
            "networks": {k: learner.network.state_dict() for k, learner in learners.items()},
            "optimizers": {k: learner.optimizer.state_dict() for k, learner in learners.items()},
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        with buffer.getbuffer() as content:
            write_whole(run.out / STATE, content)
        run.record |= {
            "complete": complete,
            "step": run.step,
            "seconds": run.seconds,
            "checkpoint": run.checkpoint.name,
            "versions": {"cisdl-bench": __version__, "torch": str(torch.__version__)},
        }
        training = describe_training(run.experiment, run.record)
        save_checkpoint(run.checkpoint, scored_network(run), training)
        write_json(run.out / RECORD, run.record)
    run.saved = run.step
    rank.wait()


def finish(run: Run, rank: Rank) -> None:
    """Write down that nothing is left to do."""
    run.record |= {"complete": True}
    if rank.number == 0:
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
            _require_shapes(learner.optimizer)
        run.step, run.seconds = int(state["step"]), float(state["seconds"])
        if not 0 <= run.step <= run.steps:
            raise ValueError(f"step {run.step} of {run.steps}")
        if bad := _not_finite(run):
            raise ValueError(f"NaN or infinite numbers in {bad[0]}")
    except (
        LookupError,
        RuntimeError,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
    ) as error:
        message = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError.expected(
            run.out / STATE, "the state of this run", message, TRAIN_ANEW
        ) from error
    run.logged, run.saved = run.seconds, run.step


def _require_shapes(optimizer: torch.optim.Optimizer) -> None:
    """Refuse what an optimizer remembers of weights of other shapes."""
    for weight, values in optimizer.state.items():
        for key, value in values.items():
            if isinstance(value, Tensor) and value.dim() and value.shape != weight.shape:
                raise ValueError(f"{key} of {tuple(value.shape)} for {tuple(weight.shape)}")
