"""A training run: step by step, kept as it goes, going on where it stopped bit for bit."""

import io
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from cisdl_bench import __version__
from cisdl_bench.devices import Rank, device_name
from cisdl_bench.errors import CisdlError, ModelError, RunError
from cisdl_bench.models.checkpoint import load_tensors, save_checkpoint
from cisdl_bench.models.dmac_det import DmacDet
from cisdl_bench.models.networks import check_side
from cisdl_bench.store.atomic import locked, read_json, write_json, write_whole
from cisdl_bench.store.torch_view import Batch, PairDataset
from cisdl_bench.training.experiments import Experiment
from cisdl_bench.training.feed import Part, feed, kinds_of
from cisdl_bench.training.history import EVALUATION, HISTORY, Log
from cisdl_bench.training.initial import begin, finite, seed_step
from cisdl_bench.training.order import Order
from cisdl_bench.training.stages import Computing, Stage, make_stage

RECORD, STATE = "training.json", "state.torch"
FORMAT = "cisdl-bench training"
_TERMS = ("loss", "ce", "det_g", "dis_g", "det_d", "dis_d")
METRICS = ("iou", "mcc", "nmm")


class TrainingError(CisdlError):
    """Training cannot go on: a loss is no number."""


class Progress(Protocol):
    """Hears how a run goes on."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """The run begins."""
        ...

    def advance(self, n: int) -> None:
        """So many more pairs are learnt from."""
        ...

    def note(self, text: str) -> None:
        """The latest losses."""
        ...

    def stop(self) -> None:
        """The run ends here."""
        ...

    def say(self, message: str) -> None:
        """A line to be read."""
        ...


#: Scores a network on its fixed sets: a set's name and its metrics each.
Evaluate = Callable[[nn.Module], list[dict[str, Any]]]


@dataclass(frozen=True)
class Choices:
    """What a user chooses beside the experiment and the data.

    Attributes:
        seed: Of weights, order and dropout.
        device: Where.
        precision: ``fp32`` or ``bf16``.
        pieces: In how many pieces each process goes through its part of a batch.
        compile: Whether networks are compiled.
        workers: Reading processes; 0: one thread reads ahead.
        log_every: Steps from one line of ``history.csv`` to the next.
        save_every: Steps from one saved state to the next.
        evaluate_every: Steps from one evaluation to the next.
        max_minutes: After so many this invocation saves and stops.
    """

    seed: int = 0
    device: str = "cpu"
    precision: str = "fp32"
    pieces: int = 1
    compile: bool = False
    workers: int = 0
    log_every: int = 20
    save_every: int = 1000
    evaluate_every: int = 1000
    max_minutes: float | None = None


@dataclass
class _Run:
    """A run on its way."""

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
    recent: list[tuple[list[int], dict[str, Any]]] = field(default_factory=list)

    @property
    def checkpoint(self) -> Path:
        return self.out / f"{self.name}.pt"

    def spent(self) -> float:
        return self.seconds + time.perf_counter() - self.begun


def train(
    experiment: Experiment,
    data: Sequence[Path],
    out: Path,
    choices: Choices,
    progress: Progress,
    *,
    name: str | None = None,
    vgg: Path | None = None,
    start: Path | None = None,
    evaluate: Evaluate | None = None,
    overwrite: bool = False,
    rank: Rank = Rank(),  # noqa: B008 - frozen
) -> dict[str, Any]:
    """Train; return the run's record as ``training.json`` holds it.

    The folder gets ``NAME.pt``, the checkpoint to score; ``history.csv`` and ``evaluation.csv``;
    and ``state.torch``, from which the same command goes on.

    Args:
        experiment: What is done.
        data: Sets of pairs to learn from.
        out: The folder.
        choices: What a user chose.
        progress: Hears how it goes on.
        name: Of the checkpoint; the experiment's own where none is given.
        vgg: VGG-16's published weights to begin with.
        start: Checkpoint of the experiment that this one goes on from.
        evaluate: Scores the network now and then.
        overwrite: Throw away what another run left.
        rank: This process among several.

    Raises:
        RunError: The folder holds another run.
        TrainingError: A loss is no number.
        ModelError: A checkpoint cannot be used, or the network cannot take the pictures.
        StoreError: The data or the folder cannot be used.
    """
    dataset = PairDataset(data)
    part = Part(experiment.batch, choices.pieces, rank.number, rank.total)
    if experiment.batch % (part.pieces * part.ranks):
        raise RunError.expected(
            f"batch {experiment.batch}",
            "a number that pieces times processes divides",
            f"{part.pieces} x {part.ranks}",
            "Choose another --pieces or number of processes",
        )
    with locked(out) if rank.number == 0 else nullcontext():
        found = begin(experiment, choices.seed, vgg, start)
        check_side(found.networks["network"], dataset.size, data[0])
        request = _request(experiment, dataset, choices, found.identity, part)
        record = _open(out, request, overwrite) if rank.number == 0 else {}
        rank.wait()
        if rank.number:
            record = read_json(out / RECORD, "a training record")
        if record["complete"]:
            return record
        run = _prepared(experiment, choices, out, name, record, found.networks, dataset, rank)
        if rank.number == 0:
            _announce(run, dataset, found.origin, progress)
        _go(run, dataset, part, progress, evaluate, rank)
        return run.record


def _request(
    experiment: Experiment, dataset: PairDataset, choices: Choices, identity: str, part: Part
) -> dict[str, Any]:
    """Return what decides the weights."""
    return {
        "experiment": experiment.name,
        "experiment_sha256": experiment.sha256,
        "seed": choices.seed,
        "data": [pairs.manifest["fingerprint"] for pairs in dataset.sets],
        "begins_with": identity,
        "precision": choices.precision,
        "parts_of_a_batch": part.pieces * part.ranks,
    }


def _open(out: Path, request: dict[str, Any], overwrite: bool) -> dict[str, Any]:
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


def _prepared(
    experiment: Experiment,
    choices: Choices,
    out: Path,
    name: str | None,
    record: dict[str, Any],
    networks: dict[str, nn.Module],
    dataset: PairDataset,
    rank: Rank,
) -> _Run:
    for key, network in networks.items():
        networks[key] = network.to(choices.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    computing = Computing(
        choices.device, choices.precision, choices.pieces, choices.compile, rank.total > 1
    )
    if choices.device.startswith("cuda"):
        torch.backends.cudnn.benchmark = True
    stage = make_stage(networks, experiment, computing)
    pairs = experiment.epochs * _order(experiment, dataset, choices.seed, "pairs").epoch_pairs
    steps = -(-pairs // experiment.batch)
    run = _Run(experiment, choices, out, name or experiment.name, record, stage, steps)
    run.record = {
        **record,
        "experiment": experiment.as_dict(),
        "notes": list(dict.fromkeys(n for p in dataset.sets for n in p.manifest["notes"])),
        "steps": steps,
        "device": device_name(choices.device),
        "processes": rank.total,
    }
    if (out / STATE).exists():
        _restore(run)
    if rank.number == 0:
        _log(run, HISTORY).cut(run.step)
        _log(run, EVALUATION).cut(run.step)
    return run


def _order(experiment: Experiment, dataset: PairDataset, seed: int, name: str) -> Order:
    return Order(kinds_of(dataset), experiment.flip, experiment.swap, seed, name)


def _log(run: _Run, name: str) -> Log:
    columns = {
        HISTORY: ("step", "epoch", "pairs", "seconds", "pairs_per_second", *_TERMS),
        EVALUATION: ("step", "pairs", "set", *METRICS),
    }
    return Log(run.out / name, columns[name])


def _announce(run: _Run, dataset: PairDataset, origin: str, progress: Progress) -> None:
    of, choices = run.experiment, run.choices
    progress.say(
        f"{run.name}: {of.title}; {len(dataset):,} pairs of {dataset.size} px, {of.epochs} epochs, "
        f"{run.steps:,} steps of {of.batch} on {device_name(choices.device)}, {choices.precision}"
    )
    progress.say(f"begins with {origin}")
    for note in run.record["notes"]:
        progress.say(f"note: {note}")
    if run.step:
        progress.say(f"goes on after step {run.step:,}")


def _go(
    run: _Run,
    dataset: PairDataset,
    part: Part,
    progress: Progress,
    evaluate: Evaluate | None,
    rank: Rank,
) -> None:
    of, choices, stage = run.experiment, run.choices, run.stage
    seen: list[int] = []
    feeds = {
        name: _watched(
            feed(
                dataset,
                _order(of, dataset, choices.seed, name),
                part,
                run.step * count,
                choices.device,
                choices.workers,
            ),
            seen,
        )
        for name, count in stage.feeds.items()
    }
    progress.start("pairs", run.steps * of.batch, run.step * of.batch)
    run.begun = started = time.perf_counter()
    with _stoppable() as asked:
        try:
            while run.step < run.steps:
                seed_step(choices.seed, run.step, rank.number)
                seen.clear()
                terms = stage.step(feeds)
                run.recent.append((list(seen), terms))
                run.step += 1
                progress.advance(of.batch)
                minutes = (time.perf_counter() - started) / 60
                late = choices.max_minutes is not None and minutes > choices.max_minutes
                late, stopped = rank.any(late), rank.any(bool(asked))
                done = run.step == run.steps
                scored = evaluate and (done or late or run.step % choices.evaluate_every == 0)
                kept = done or late or stopped or run.step % choices.save_every == 0
                if scored or kept or run.step % choices.log_every == 0:
                    _write_history(run, dataset, progress, rank)
                if evaluate and scored:
                    _evaluate(run, evaluate, progress, rank)
                if kept:
                    _save(run, rank)
                if (stopped or late) and not done:
                    why = "stopped" if stopped else f"{choices.max_minutes:g} minutes are over"
                    progress.say(
                        f"{run.out}: {why} at step {run.step:,} of {run.steps:,}; saved, the same "
                        f"command goes on. {run.checkpoint} is the network so far."
                    )
                    break
        finally:
            progress.stop()
            for source in feeds.values():
                source.close()
    if asked:
        raise KeyboardInterrupt


def _watched(source: Generator[Batch, None, None], seen: list[int]) -> Generator[Batch, None, None]:
    """Yield batches, and note which pairs they are."""
    with closing(source):
        for batch in source:
            seen += batch["index"].tolist()
            yield batch


@contextmanager
def _stoppable() -> Iterator[list[int]]:
    """Yield a list that a first Ctrl-C or SIGTERM is noted in; a second one ends at once."""
    asked: list[int] = []

    def note(number: int, frame: object) -> None:
        asked.append(number)
        if len(asked) > 1:
            raise KeyboardInterrupt

    before = {}
    with suppress(ValueError):  # not in the main thread
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, note)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write_history(run: _Run, dataset: PairDataset, progress: Progress, rank: Rank) -> None:
    """Write the mean losses of the last steps; refuse what is no number."""
    first = run.step - len(run.recent)
    names = [name for name in _TERMS if name in run.recent[0][1]]
    table = torch.stack([torch.stack([terms[n] for n in names]) for _, terms in run.recent])
    rows = table.double().cpu().tolist()  # the one wait for the device
    for number, (row, (seen, _)) in enumerate(zip(rows, run.recent, strict=True)):
        terms = dict(zip(names, row, strict=True))
        if not finite(terms):
            bad = ", ".join(f"{name} {value}" for name, value in terms.items() if value - value)
            bad = bad or ", ".join(f"{name} {value}" for name, value in terms.items())
            raise TrainingError.expected(
                f"{run.out}: step {first + number + 1}",
                "losses that are numbers",
                f"{bad} on {_identity(dataset, seen)}",
                "What was saved is kept: lower the learning rate, or use --precision fp32",
            )
    mean = {
        name: sum(column) / len(rows)
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
    if rank.total > 1:
        mean = _over_ranks(mean, rank)
    spent, batch = run.spent(), run.experiment.batch
    rate = len(rows) * batch / max(spent - run.record.get("logged_s", 0.0), 1e-9)
    run.record["logged_s"] = spent
    per_epoch = run.steps / run.experiment.epochs
    if rank.number == 0:
        _log(run, HISTORY).add(
            {
                "step": run.step,
                "epoch": f"{run.step / per_epoch:.4f}",
                "pairs": run.step * batch,
                "seconds": f"{spent:.2f}",
                "pairs_per_second": f"{rate:.2f}",
                **mean,
            }
        )
    progress.note(" ".join(f"{name} {value:.4f}" for name, value in mean.items()))
    run.recent.clear()


def _over_ranks(mean: dict[str, float], rank: Rank) -> dict[str, float]:
    import torch.distributed

    values = torch.tensor(list(mean.values()), dtype=torch.float64)
    torch.distributed.all_reduce(values)
    return dict(zip(mean, (values / rank.total).tolist(), strict=True))


def _identity(dataset: PairDataset, seen: Sequence[int]) -> str:
    """Return pairs as a person can find them again: set and number."""
    found = []
    for index in seen:
        start = 0
        for pairs in dataset.sets:
            if index < start + len(pairs):
                found.append(f"{pairs.path.name}/{index - start}")
                break
            start += len(pairs)
    return "pairs " + " ".join(found)


def _evaluate(run: _Run, evaluate: Evaluate, progress: Progress, rank: Rank) -> None:
    if rank.number == 0:
        network = _whole(run).eval()
        begun = time.perf_counter()
        results = evaluate(network)
        run.begun += time.perf_counter() - begun  # evaluation is not training
        for learner in run.stage.learners.values():
            learner.network.train()
        log = _log(run, EVALUATION)
        for result in results:
            log.add({**result, "step": run.step, "pairs": run.step * run.experiment.batch})
        shown = ", ".join(f"{each['set']} IoU {each['iou']:.4f}" for each in results)
        progress.say(f"step {run.step:,}: {shown}")
    rank.wait()


def _whole(run: _Run) -> nn.Module:
    """Return the network that is scored: with Det where the experiment has one."""
    networks = {name: learner.network for name, learner in run.stage.learners.items()}
    networks |= run.stage.frozen
    network = networks["network"]
    if "detection" not in networks:
        return network
    whole = DmacDet(run.experiment.width)
    whole.dmac, whole.detection = network, networks["detection"]  # type: ignore[assignment]
    return whole


def _save(run: _Run, rank: Rank) -> None:
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
        save_checkpoint(run.checkpoint, _whole(run), training)
        run.record |= {
            "complete": done,
            "step": run.step,
            "seconds": run.seconds,
            "checkpoint": run.checkpoint.name,
            "versions": {"cisdl-bench": __version__, "torch": str(torch.__version__)},
        }
        write_json(run.out / RECORD, {k: v for k, v in run.record.items() if k != "logged_s"})
    rank.wait()


def _restore(run: _Run) -> None:
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
    run.record["logged_s"] = run.seconds
