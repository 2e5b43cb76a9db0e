"""A training run: step by step, kept as it goes, going on where it stopped bit for bit."""

import signal
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cisdl_bench.devices import Rank, device_name
from cisdl_bench.errors import RunError
from cisdl_bench.models.networks import check_side
from cisdl_bench.progress import Progress
from cisdl_bench.store.atomic import locked, read_json
from cisdl_bench.store.torch_view import Batch, PairDataset
from cisdl_bench.training.account import evaluate_now, log_of, write_history
from cisdl_bench.training.experiments import Experiment
from cisdl_bench.training.feed import Part, feed, kinds_of
from cisdl_bench.training.history import EVALUATION, HISTORY
from cisdl_bench.training.initial import begin, seed_step
from cisdl_bench.training.order import Order
from cisdl_bench.training.settings import Choices, Evaluate
from cisdl_bench.training.stages import Computing, make_stage
from cisdl_bench.training.state import RECORD, STATE, Run, opened, request_of, restore, save


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
        request = request_of(experiment, dataset, choices, found.identity, part)
        record = opened(out, request, overwrite) if rank.number == 0 else {}
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


def _prepared(
    experiment: Experiment,
    choices: Choices,
    out: Path,
    name: str | None,
    record: dict[str, Any],
    networks: dict[str, nn.Module],
    dataset: PairDataset,
    rank: Rank,
) -> Run:
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
    run = Run(experiment, choices, out, name or experiment.name, record, stage, steps)
    run.record = {
        **record,
        "experiment": experiment.as_dict(),
        "notes": list(dict.fromkeys(n for p in dataset.sets for n in p.facts["notes"])),
        "steps": steps,
        "device": device_name(choices.device),
        "processes": rank.total,
    }
    if (out / STATE).exists():
        restore(run)
    if rank.number == 0:
        log_of(run, HISTORY).cut(run.step)
        log_of(run, EVALUATION).cut(run.step)
    return run


def _order(experiment: Experiment, dataset: PairDataset, seed: int, name: str) -> Order:
    return Order(kinds_of(dataset), experiment.flip, experiment.swap, seed, name)


def _announce(run: Run, dataset: PairDataset, origin: str, progress: Progress) -> None:
    of, choices = run.experiment, run.choices
    progress.say(
        f"{run.name}: {of.title}; {len(dataset):,} pairs of {dataset.size} px, {of.epochs} epochs, "
        f"{run.steps:,} steps of {of.batch} on {device_name(choices.device)}, {choices.precision}"
    )
    progress.say(f"begins with {origin}")
    sizes = [len(kind) for kind in kinds_of(dataset)]
    if len(set(sizes)) > 1:
        progress.say(f"note: the kinds have {sizes} pairs; fewer are gone through more often")
    for note in run.record["notes"]:
        progress.say(f"note: {note}")
    if run.step:
        progress.say(f"goes on after step {run.step:,}")


def _go(
    run: Run,
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
                    write_history(run, dataset, progress, rank)
                if evaluate and scored:
                    evaluate_now(run, evaluate, progress, rank)
                if kept:
                    save(run, rank)
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
