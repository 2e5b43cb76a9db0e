"""A training run: step by step, kept as it goes, resumed where it stopped bit for bit."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cisdl_bench.devices import Rank, device_name, float32_rule
from cisdl_bench.errors import RunError
from cisdl_bench.models.networks.registry import check_side
from cisdl_bench.pairs import Pair
from cisdl_bench.progress import Progress
from cisdl_bench.store.atomic import locked
from cisdl_bench.store.torch_view import Batch, PairDataset
from cisdl_bench.training.card import keep_card
from cisdl_bench.training.checkpoint import Run, finish, restore, save, scored_network
from cisdl_bench.training.describer import RememberingDetector
from cisdl_bench.training.epoch_order import EpochOrder
from cisdl_bench.training.evaluation import Evaluate, evaluate_now
from cisdl_bench.training.experiments import Experiment
from cisdl_bench.training.feed import Part, feed
from cisdl_bench.training.frozen import freeze
from cisdl_bench.training.initial_weights import InitialNetworks, make_networks, seed_step
from cisdl_bench.training.interrupt import note_signals
from cisdl_bench.training.kinds import Kinds, check_learnable
from cisdl_bench.training.log import open_log, write_history
from cisdl_bench.training.loggers import open_loggers
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.record import (
    EVALUATION,
    HISTORY,
    RECORD,
    STATE,
    describe_data,
    make_request,
    open_record,
    read_record,
)
from cisdl_bench.training.stages import make_stage

Feed = Generator[Batch, None, None]


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
    initial: InitialNetworks | None = None,
    maps: Path | None = None,
    evaluate: Evaluate | None = None,
    shown: Sequence[Pair] = (),
    overwrite: bool = False,
    rank: Rank = Rank(),  # noqa: B008 - frozen
) -> dict[str, Any]:
    """Train; return the run's record as ``training.json`` holds it.

    The folder gets ``NAME.pt``, the checkpoint to score; ``history.csv`` and ``evaluation.csv``;
    and ``state.torch``, from which the same command resumes.

    Args:
        experiment: Network, losses, optimizers and number of epochs.
        data: Sets of pairs to learn from.
        out: Folder of the run.
        options: Device, precision, seed and so on.
        progress: Receives progress updates and messages.
        name: Name of the checkpoint; the experiment's own where none is given.
        vgg: File or folder of VGG-16's convolutions to begin with.
        start: Checkpoint of the experiment that this one builds on.
        initial: Networks to begin with, instead of ``vgg`` and ``start``.
        maps: Folder that maps of frozen features are kept in; None: ``maps`` in the run's folder.
        evaluate: Scores the network now and then; None does not.
        shown: Pairs whose answers loggers are shown after each evaluation.
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
    kinds, left_out = check_learnable(dataset, options.skip_unlabelled)
    part = Part(experiment.batch, options.pieces, rank.number, rank.total)
    if experiment.batch % (part.pieces * part.ranks):
        raise RunError.expected(
            f"batch {experiment.batch}",
            "a number that pieces times processes divides",
            f"{part.pieces} x {part.ranks}",
            "Choose another --pieces or number of processes",
        )
    if experiment.freeze and rank.total > 1:
        raise RunError(
            f"{experiment.name}: a head on frozen features learns in one process, got "
            f"{rank.total}. Start it without torchrun."
        )
    with locked(out) if rank.number == 0 else nullcontext():
        initial = initial or make_networks(experiment, options.seed, vgg, start)
        check_side(initial.networks["network"], dataset.size, data[0])
        request = make_request(experiment, dataset, options, initial.identity, part, left_out)
        record = open_record(out, name, request, overwrite) if rank.number == 0 else {}
        rank.wait()
        if rank.number:
            record = read_record(out / RECORD)
        if not rank.any(rank.number == 0 and not record["complete"]):
            return record
        notes = list(dict.fromkeys(n for pairs in dataset.sets for n in pairs.facts["notes"]))
        if left_out:
            notes.append(f"{left_out:,} of {len(dataset):,} pairs left out: no label or true mask")
        if experiment.freeze and initial.identity.startswith("He "):
            notes.append("the frozen features are random numbers; give published weights by --init")
        record = {**record, "notes": notes, "initial_weights": initial.origin}
        record["data"] = describe_data(dataset)
        with float32_rule(options.precision == "fp32", benchmark=True):
            run = _prepare(experiment, options, out, name, record, initial.networks, kinds, rank)
            if rank.number == 0:
                run.loggers, run.shown = open_loggers(options.log_to, out, run.step), shown
                _announce(run, dataset, kinds, initial.origin, progress)
            if experiment.freeze:
                frozen = _freeze(run, dataset, maps or out / "maps", progress)
                if frozen is None:
                    return run.record
                dataset = frozen
            _Loop(run, dataset, kinds, part, progress, evaluate, rank).go()
        return run.record


def _freeze(run: Run, dataset: PairDataset, folder: Path, progress: Progress) -> PairDataset | None:
    """Return the pairs with their maps; None where the run's minutes are over before.

    Raises:
        KeyboardInterrupt: The run was asked to stop; the maps so far are kept.
    """
    begun, options = time.perf_counter(), run.options
    network = run.stage.frozen["network"]
    with note_signals() as received:
        frozen = freeze(network, dataset, folder, options, progress, lambda: bool(received))
    if received:
        raise KeyboardInterrupt
    run.detect = RememberingDetector(network).detect
    if frozen is None:
        progress.say(
            f"{run.out}: {options.max_minutes:g} minutes are over while maps were computed; they "
            "are kept, the same command goes on."
        )
    elif options.max_minutes is not None:
        left = options.max_minutes - (time.perf_counter() - begun) / 60
        run.options = replace(options, max_minutes=max(left, 0))
    return frozen


def _prepare(
    experiment: Experiment,
    options: TrainOptions,
    out: Path,
    name: str,
    record: dict[str, Any],
    networks: dict[str, nn.Module],
    kinds: Kinds,
    rank: Rank,
) -> Run:
    """Return the run, at the step that was last saved."""
    for key, network in networks.items():
        networks[key] = network.to(options.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    stage = make_stage(networks, experiment, options)
    epoch_pairs = _make_order(experiment, kinds, options.seed, "pairs").epoch_pairs
    steps = -(-experiment.epochs * epoch_pairs // experiment.batch)
    run = Run(experiment, options, out, name, record, stage, steps)
    run.record = {
        **record,
        "experiment": experiment.as_dict(),
        "steps": steps,
        "device": device_name(options.device),
        "processes": rank.total,
        "parameters": sum(weights.numel() for weights in scored_network(run).parameters()),
    }
    if (out / STATE).exists():
        restore(run)
    if rank.number == 0:
        open_log(run, HISTORY).cut(run.step)
        open_log(run, EVALUATION).cut(run.step)
    return run


def _make_order(experiment: Experiment, kinds: Kinds, seed: int, name: str) -> EpochOrder:
    return EpochOrder(kinds, experiment.flip, experiment.swap, seed, name)


def _announce(
    run: Run, dataset: PairDataset, kinds: Kinds, origin: str, progress: Progress
) -> None:
    experiment, options = run.experiment, run.options
    progress.say(
        f"{run.name}: {experiment.title}; {len(dataset):,} pairs of {dataset.size} px, "
        f"{experiment.epochs} epochs, {run.steps:,} steps of {experiment.batch} on "
        f"{device_name(options.device)}, {options.precision}"
    )
    progress.say(f"initial weights: {origin}")
    sizes = [len(kind) for kind in kinds]
    if len(set(sizes)) > 1:
        progress.say(f"note: the kinds have {sizes} pairs; smaller ones are repeated")
    for note in run.record["notes"]:
        progress.say(f"note: {note}")
    if run.step:
        progress.say(f"resumes after step {run.step:,}")


class _Loop:
    """The steps of a run, until it is complete, stopped or out of time."""

    def __init__(
        self,
        run: Run,
        dataset: PairDataset,
        kinds: Kinds,
        part: Part,
        progress: Progress,
        evaluate: Evaluate | None,
        rank: Rank,
    ) -> None:
        self.run, self.dataset, self.kinds, self.part = run, dataset, kinds, part
        self.progress, self.evaluate, self.rank = progress, evaluate, rank
        #: Places of the pairs of the step under way.
        self.seen: list[int] = []

    def go(self) -> None:
        """Make the steps that are left.

        Raises:
            KeyboardInterrupt: The run was asked to stop; its state is saved.
        """
        run, batch = self.run, self.run.experiment.batch
        self.progress.start("pairs", run.steps * batch, run.step * batch)
        run.begun = time.perf_counter()
        with note_signals() as self.received, self._open_feeds() as feeds:
            try:
                stopped, late = self._steps(feeds)
                self._end(stopped, late)
            finally:
                self.progress.stop()
                for logger in self.run.loggers:
                    logger.close()
        if self.received:
            raise KeyboardInterrupt

    def _steps(self, feeds: dict[str, Feed]) -> tuple[bool, bool]:
        """Return whether the steps were stopped, and whether their time was over."""
        run, options, rank = self.run, self.run.options, self.rank
        started = run.begun
        if run.step:  # what a kill after the state was written may have left undone
            self._evaluate()
        if run.step == run.steps:
            self._save()
        stopped, late = rank.any(bool(self.received)), False
        while run.step < run.steps and not (stopped or late):
            seed_step(options.seed, run.step, rank.number)
            self.seen.clear()
            for learner in run.stage.learners.values():
                learner.set_progress(run.step / run.steps)
            losses = run.stage.step(feeds)
            run.recent.append((list(self.seen), losses))
            run.step += 1
            self.progress.advance(run.experiment.batch)
            minutes = (time.perf_counter() - started) / 60
            late = rank.any(options.max_minutes is not None and minutes > options.max_minutes)
            stopped = rank.any(bool(self.received))
            ends = run.step == run.steps or late or stopped
            evaluates = self.evaluate is not None and (late or self._is_due())
            saves = ends or evaluates or run.step % options.save_every == 0
            if saves or run.step % options.log_every == 0:
                write_history(run, self.dataset, self.progress, rank)
            if saves:
                self._save()
            if evaluates and not stopped:
                self._evaluate(at_once=late)
                if rank.number == 0:
                    keep_card(run)
                stopped = rank.any(bool(self.received))
        return stopped, late

    def _save(self) -> None:
        save(self.run, self.rank)
        if self.rank.number == 0:
            keep_card(self.run)

    def _end(self, stopped: bool, late: bool) -> None:
        run = self.run
        if run.step == run.steps and not stopped:
            finish(run, self.rank)
        elif stopped or late:
            why = "stopped" if stopped else f"{run.options.max_minutes:g} minutes are over"
            self.progress.say(
                f"{run.out}: {why} at step {run.step:,} of {run.steps:,}; saved, the same "
                f"command resumes. {run.checkpoint} is the network so far."
            )

    def _is_due(self) -> bool:
        """Return whether the network is evaluated after the step that was just made."""
        run = self.run
        return run.step == run.steps or run.step % run.options.evaluate_every == 0

    def _evaluate(self, at_once: bool = False) -> None:
        """Evaluate the network where that is due and was not done yet."""
        if self.evaluate is None or not (at_once or self._is_due()):
            return
        run, rank = self.run, self.rank
        is_written = rank.number == 0 and open_log(run, EVALUATION).has(run.step)
        if not rank.any(is_written):
            evaluate_now(run, self.evaluate, self.progress, rank, lambda: bool(self.received))

    @contextmanager
    def _open_feeds(self) -> Iterator[dict[str, Feed]]:
        """Yield the batches of each order that the stage takes from."""
        run, options = self.run, self.run.options
        feeds = {}
        for name, count in run.stage.feeds.items():
            order = _make_order(run.experiment, self.kinds, options.seed, name)
            first = run.step * count
            source = feed(self.dataset, order, self.part, first, options.device, options.workers)
            feeds[name] = self._note_seen(source)
        try:
            yield feeds
        finally:
            for source in feeds.values():
                source.close()

    def _note_seen(self, source: Feed) -> Feed:
        """Yield batches, and note which pairs they are."""
        with closing(source):
            for batch in source:
                self.seen += batch["index"].tolist()
                yield batch
