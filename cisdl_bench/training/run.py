"""A training run: step by step, kept as it goes, going on where it stopped bit for bit."""

import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cisdl_bench.devices import Rank, device_name, float32_rule
from cisdl_bench.errors import RunError
from cisdl_bench.models.networks.registry import check_side
from cisdl_bench.progress import Progress
from cisdl_bench.store.atomic import locked
from cisdl_bench.store.torch_view import Batch, PairDataset
from cisdl_bench.training.checkpoint import Run, finish, restore, save
from cisdl_bench.training.epoch_order import EpochOrder
from cisdl_bench.training.evaluation import Evaluate, evaluate_now
from cisdl_bench.training.experiments import Experiment
from cisdl_bench.training.feed import Part, feed, kinds_of, unlabelled
from cisdl_bench.training.initial_weights import make_networks, seed_step
from cisdl_bench.training.log import open_log, write_history
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.record import (
    EVALUATION,
    HISTORY,
    RECORD,
    STATE,
    make_request,
    open_record,
    read_record,
)
from cisdl_bench.training.stages import make_stage

Kinds = list[npt.NDArray[np.int64]]


def train(
    experiment: Experiment,
    data: Sequence[Path],
    out: Path,
    options: TrainOptions,
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
        options: What a user chose.
        progress: Receives progress updates and messages.
        name: Name of the checkpoint; the experiment's own where none is given.
        vgg: VGG-16's published weights to begin with.
        start: Checkpoint of the experiment that this one goes on from.
        evaluate: Scores the network now and then.
        overwrite: Remove what another run left, its network too.
        rank: This process among several.

    Raises:
        RunError: The folder holds another run, there are no pairs, or pairs without a label or a
            true mask are not to be left out.
        TrainingError: A loss or a weight is not finite.
        ModelError: A checkpoint cannot be used, or the network cannot take the pictures.
        StoreError: The data or the folder cannot be used.
    """
    dataset, name = PairDataset(data), name or experiment.name
    kinds, left_out = _learnable(dataset, options.skip_unlabelled)
    part = Part(experiment.batch, options.pieces, rank.number, rank.total)
    if experiment.batch % (part.pieces * part.ranks):
        raise RunError.expected(
            f"batch {experiment.batch}",
            "a number that pieces times processes divides",
            f"{part.pieces} x {part.ranks}",
            "Choose another --pieces or number of processes",
        )
    with locked(out) if rank.number == 0 else nullcontext():
        found = make_networks(experiment, options.seed, vgg, start)
        check_side(found.networks["network"], dataset.size, data[0])
        request = make_request(experiment, dataset, options, found.identity, part, left_out)
        record = open_record(out, name, request, overwrite) if rank.number == 0 else {}
        rank.wait()
        if rank.number:
            record = read_record(out / RECORD)
        if not rank.any(rank.number == 0 and not record["complete"]):
            return record
        notes = list(dict.fromkeys(n for p in dataset.sets for n in p.facts["notes"]))
        if left_out:
            notes.append(f"{left_out:,} of {len(dataset):,} pairs left out: no label or true mask")
        record = {**record, "notes": notes}
        with float32_rule(options.precision == "fp32", benchmark=True):
            run = _prepared(experiment, options, out, name, record, found.networks, kinds, rank)
            if rank.number == 0:
                _announce(run, dataset, kinds, found.origin, progress)
            _go(run, dataset, kinds, part, progress, evaluate, rank)
        return run.record


def _learnable(dataset: PairDataset, skip_unlabelled: bool) -> tuple[Kinds, int]:
    """Return the pairs to learn from by kind, and how many are left out."""
    for pairs in dataset.sets:
        if not len(pairs):
            where = pairs.origin.get("path", pairs.name)
            raise RunError.expected(where, "pairs to learn from", "none", "Give another --data")
    count, first = unlabelled(dataset)
    if count and (not skip_unlabelled or count == len(dataset)):
        then = (
            "Give their masks and labels"
            if skip_unlabelled
            else ("Leave them out with --skip-unlabelled, or give their masks and labels")
        )
        raise RunError.expected(
            dataset.sets[0].origin.get("path", dataset.sets[0].name),
            "a label and both true masks of each pair",
            f"{count:,} of {len(dataset):,} without, such as {first}",
            then,
        )
    return kinds_of(dataset, skip_unlabelled=skip_unlabelled), count


def _prepared(
    experiment: Experiment,
    options: TrainOptions,
    out: Path,
    name: str,
    record: dict[str, Any],
    networks: dict[str, nn.Module],
    kinds: Kinds,
    rank: Rank,
) -> Run:
    for key, network in networks.items():
        networks[key] = network.to(options.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    stage = make_stage(networks, experiment, options)
    pairs = experiment.epochs * _order(experiment, kinds, options.seed, "pairs").epoch_pairs
    steps = -(-pairs // experiment.batch)
    run = Run(experiment, options, out, name, record, stage, steps)
    run.record = {
        **record,
        "experiment": experiment.as_dict(),
        "steps": steps,
        "device": device_name(options.device),
        "processes": rank.total,
    }
    if (out / STATE).exists():
        restore(run)
    if rank.number == 0:
        open_log(run, HISTORY).cut(run.step)
        open_log(run, EVALUATION).cut(run.step)
    return run


def _order(experiment: Experiment, kinds: Kinds, seed: int, name: str) -> EpochOrder:
    return EpochOrder(kinds, experiment.flip, experiment.swap, seed, name)


def _announce(
    run: Run, dataset: PairDataset, kinds: Kinds, origin: str, progress: Progress
) -> None:
    of, options = run.experiment, run.options
    progress.say(
        f"{run.name}: {of.title}; {len(dataset):,} pairs of {dataset.size} px, {of.epochs} epochs, "
        f"{run.steps:,} steps of {of.batch} on {device_name(options.device)}, {options.precision}"
    )
    progress.say(f"begins with {origin}")
    sizes = [len(kind) for kind in kinds]
    if len(set(sizes)) > 1:
        progress.say(f"note: the kinds have {sizes} pairs; fewer are gone through more often")
    for note in run.record["notes"]:
        progress.say(f"note: {note}")
    if run.step:
        progress.say(f"goes on after step {run.step:,}")


def _go(
    run: Run,
    dataset: PairDataset,
    kinds: Kinds,
    part: Part,
    progress: Progress,
    evaluate: Evaluate | None,
    rank: Rank,
) -> None:
    of, options, stage = run.experiment, run.options, run.stage
    seen: list[int] = []
    feeds = {
        name: _watched(
            feed(
                dataset,
                _order(of, kinds, options.seed, name),
                part,
                run.step * count,
                options.device,
                options.workers,
            ),
            seen,
        )
        for name, count in stage.feeds.items()
    }
    progress.start("pairs", run.steps * of.batch, run.step * of.batch)
    run.begun = started = time.perf_counter()
    stopped = late = False
    with _stoppable() as asked:
        evaluation = _evaluation(run, evaluate, progress, rank, lambda: bool(asked))
        try:
            if run.step:  # what a kill after the state was written may have left undone
                evaluation()
            if run.step == run.steps:
                save(run, rank)
            stopped = rank.any(bool(asked))
            while run.step < run.steps and not (stopped or late):
                seed_step(options.seed, run.step, rank.number)
                seen.clear()
                terms = stage.step(feeds)
                run.recent.append((list(seen), terms))
                run.step += 1
                progress.advance(of.batch)
                minutes = (time.perf_counter() - started) / 60
                late = options.max_minutes is not None and minutes > options.max_minutes
                late, stopped = rank.any(late), rank.any(bool(asked))
                ends = run.step == run.steps or late or stopped
                scored = evaluate is not None and (late or _due(run))
                kept = ends or scored or run.step % options.save_every == 0
                if kept or run.step % options.log_every == 0:
                    write_history(run, dataset, progress, rank)
                if kept:
                    save(run, rank)
                if scored and not stopped:
                    evaluation(at_once=late)
                    stopped = rank.any(bool(asked))
            if run.step == run.steps and not stopped:
                finish(run, rank)
            elif stopped or late:
                why = "stopped" if stopped else f"{options.max_minutes:g} minutes are over"
                progress.say(
                    f"{run.out}: {why} at step {run.step:,} of {run.steps:,}; saved, the same "
                    f"command goes on. {run.checkpoint} is the network so far."
                )
        finally:
            progress.stop()
            for source in feeds.values():
                source.close()
    if asked:
        raise KeyboardInterrupt


def _due(run: Run) -> bool:
    """Return whether the network is evaluated after the step that was just made."""
    return run.step == run.steps or run.step % run.options.evaluate_every == 0


def _evaluation(
    run: Run,
    evaluate: Evaluate | None,
    progress: Progress,
    rank: Rank,
    stopped: Callable[[], bool],
) -> Callable[..., None]:
    """Return a function that evaluates the network where that is due and was not done yet."""

    def evaluation(at_once: bool = False) -> None:
        wanted = evaluate is not None and (at_once or _due(run))
        written = rank.number == 0 and wanted and open_log(run, EVALUATION).has(run.step)
        if evaluate is not None and wanted and not rank.any(written):
            evaluate_now(run, evaluate, progress, rank, stopped)

    return evaluation


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
