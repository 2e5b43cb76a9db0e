"""Train DMAC on a borrowed GPU, a few minutes at a time, and score it: one command, run again.

    python benchmarks/train_on_gpu.py OUT --coco DIR --init hed-half.safetensors --minutes 9
    python benchmarks/train_on_gpu.py OUT --join    # networks, unfinished ones too, of the pieces
    python benchmarks/train_on_gpu.py hed-half.safetensors --pack-init hed    # float16, 29 MB

The first form makes the sets, trains in bf16 with compiled networks, evaluates as it goes, trains
the adversarial stage, scores the 21 sets by both, and leaves tables, curves, rates and how busy the
card was. It stops by itself within ``--minutes``; the same command resumes from what is under OUT,
on the same machine bit for bit (``--work``), on another one from OUT's pieces alone, which hold
weights as float16 (see ``cisdl_bench.training.portable``). Each file under OUT has at most 16 MiB,
all together ``--most-mib``: of DMAC-adv beside DMAC then without its detection network.
``--rehearse`` does all of this on a CPU with an eighth of the channels and 64 px.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

BEGUN = time.monotonic()  # before torch is imported: that counts too

import torch
from borrowed_card import CardWatch, Log, find_compile_fault, first_line
from training import measure

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.devices import choose_device, device_name
from cisdl_bench.errors import CisdlError, RunError
from cisdl_bench.generation.jobs import make_set_jobs
from cisdl_bench.generation.run import make_sets
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint, load_tensors, save_checkpoint
from cisdl_bench.models.checkpoints.vgg_weights import write_half
from cisdl_bench.models.find import find_detector
from cisdl_bench.report.draw import draw, save_figure
from cisdl_bench.report.figure import FigureOptions
from cisdl_bench.report.tables import TableOptions, make_table
from cisdl_bench.report.write_table import FORMATS
from cisdl_bench.results.run_summary import write_summary
from cisdl_bench.scoring.jobs import make_score_jobs
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.profile import measure_cost
from cisdl_bench.scoring.quick import quick_scores
from cisdl_bench.scoring.record import RESULT, read_result
from cisdl_bench.scoring.run import run_jobs
from cisdl_bench.scoring.scorers import DetectorScorer
from cisdl_bench.sources.archive import unpack
from cisdl_bench.sources.find import find_source
from cisdl_bench.specs import paper_test_sets, spec_text
from cisdl_bench.store.atomic import read_json, write_json, write_whole
from cisdl_bench.store.folder import DataFolder
from cisdl_bench.store.pieces import read_pieces, remove_pieces, write_pieces
from cisdl_bench.training.checkpoint import assemble_network, describe_training
from cisdl_bench.training.evaluation import find_evaluation_sets
from cisdl_bench.training.experiments import Experiment, load_experiment
from cisdl_bench.training.initial_weights import InitialNetworks, make_networks
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.portable import pack_run, unpack_run
from cisdl_bench.training.record import (
    EVALUATION,
    HISTORY,
    RECORD,
    STATE,
    read_record,
)
from cisdl_bench.training.run import train

LAYOUTS = ("paper-1", "paper-2")
_SPARE_BYTES = 3 << 20  # of OUT, for results and the log
#: Defaults of a rehearsal.
_SMALL: dict[str, Any] = {
    **{"size": 64, "width": 0.125, "device": "cpu", "batch_size": 6, "evaluate_every": 10},
    **{"train_pairs": 60, "test_pairs": 6, "evaluate_pairs": 3, "parity_pairs": 2},
    **{"profile_seconds": 0.1, "reserve": 2.0, "least": 0.5, "pack_every": 2.0},
}


class Stage(NamedTuple):
    """A stage of training: its name, its experiment, and its minutes in all runs together."""

    name: str
    experiment: Experiment
    minutes: float


class Job:
    """One run of the script: its options, its clock, and the folders it works in.

    Args:
        options: Options of the command line.
        log: Lines for the user, kept under OUT.
        card: Watch on how busy the card is.
    """

    def __init__(self, options: argparse.Namespace, log: Log, card: CardWatch) -> None:
        self.options, self.log, self.card = options, log, card
        self.out, self.work = options.out.absolute(), options.work.absolute()
        self.data, self.results = self.work / "data", self.work / "results"
        self.runs, self.scores = self.work / "training", self.results / "scores"
        self.device = choose_device(options.device)
        self.compile = options.compile
        self.packed = 0.0

    def left(self) -> float:
        """Return the seconds until work must end, so that what is left can be written."""
        return self.options.minutes * 60 - self.options.reserve - (time.monotonic() - BEGUN)

    def checkpoint(self, name: str) -> Path:
        """Return the finished network of a stage, float16."""
        return self.work / f"{name}.safetensors"

    def is_done(self, name: str) -> bool:
        """Return whether a stage is finished, in this run or an earlier one."""
        return (self.results / "training" / name / RECORD).exists()

    def restore(self) -> None:
        """Take up what earlier runs left, where this machine does not have it."""
        folder = self.options.resume or self.out
        archive = read_pieces(folder, "results.zip")
        if archive and not self.results.exists():
            write_whole(self.work / "results.zip", archive.data)
            unpack(self.work / "results.zip", self.work, "results")
            self.log.say(f"results of earlier runs, from {folder}")
        for name, _, _ in self.options.stages:
            network = read_pieces(folder, f"{name}.safetensors")
            if network and not self.checkpoint(name).exists():
                write_whole(self.checkpoint(name), network.data)
                self.log.say(f"{name}: finished network of step {network.number:,}, from {folder}")
            state, run = read_pieces(folder, f"{name}.state"), self.runs / name
            if state and not self.is_done(name) and _step(run) < state.number:
                unpack_run(state.data, run)
                self.log.say(f"{name}: state of step {state.number:,}, from {folder}")

    def make_sets(self, *names: str) -> None:
        """Generate sets; finished ones are kept."""
        options, jobs = self.options, []
        find = cache(lambda split: find_source(options.coco, split, self.data))
        for name in names:
            text = spec_text(name).replace("size = 256 ", f"size = {options.size} ")
            path = self.work / "sets" / f"{name}.toml"
            write_whole(path, text.encode())
            pairs = options.train_pairs if name == "training" else options.test_pairs
            jobs += make_set_jobs([str(path)], [], find, seed=0, pairs=pairs)
        begun = time.monotonic()
        make_sets(jobs, DataFolder(self.data), self.log, jobs=options.jobs)
        self.log.say(f"sets {', '.join(names)}: {time.monotonic() - begun:.1f} s")

    def measure(self) -> None:
        """Measure scoring, and training's loader and step, once."""
        path, options = self.results / "measured.json", self.options
        if path.exists() or not options.profile_seconds or self.left() < 4 * options.least:
            return
        experiment, precision = options.stages[0].experiment, options.precision
        network = make_networks(experiment, 0, None, None).networks["network"]
        chosen = ScoreOptions(device=self.device, precision=precision)
        cost = measure_cost(network, chosen, options.size, options.profile_seconds / 4)
        rates = self._measure_training()
        measured = {
            "device": device_name(self.device),
            "torch": str(torch.__version__),
            "precision": precision,
            "compiled": self.compile,
            "scoring": cost,
            "first_step_seconds": rates.pop("first_step_seconds"),
            "training_pairs_per_second": rates,
            "peak_mb": self._peak_mb(),
        }
        write_json(path, measured)
        shown = ", ".join(f"{name} {value:,.0f}" for name, value in rates.items())
        shown += f"; the first step took {measured['first_step_seconds']:.1f} s"
        best = cost["seconds"][cost["best_batch"]]
        self.log.say(f"measured: scoring {1 / best:,.0f} pairs/s; training, pairs/s: {shown}")

    def _measure_training(self) -> dict[str, float]:
        """Measure training, compiled if the network can be."""
        options, path = self.options, self.data / "training"
        settings = TrainOptions(
            device=self.device,
            precision=options.precision,
            compile=self.compile,
            workers=options.workers,
        )
        experiment, seconds = options.stages[0].experiment, options.profile_seconds
        try:
            return measure(path, experiment, settings, seconds)
        except Exception as error:  # the compiler's errors share no class
            if not self.compile:
                raise
            self.log.say(
                f"note: not compiled, it fails on {experiment.network}: {first_line(error)}"
            )
            self.compile = False
            return measure(path, experiment, replace(settings, compile=False), seconds)

    def train(self, stage: Stage, start: Path | None) -> bool:
        """Train a stage as far as the time goes; return whether it is finished.

        Args:
            stage: Stage that is trained.
            start: Finished network of the stage before; None for the first one.
        """
        (name, experiment, minutes), run = stage, self.runs / stage.name
        if self.is_done(name):
            return True
        begun, options = time.monotonic(), self.options
        spent = float(read_record(run / RECORD).get("seconds", 0)) if _step(run) else 0.0
        own, over = minutes * 60 - spent, False
        seconds = min(own, self.left())
        compiles = self.compile and start is None  # a short second stage would not earn it back
        if own > options.least and self.left() < self._least(compiles):
            self.log.say(f"{name}: {max(self.left(), 0):.0f} s are too few to begin; run again")
        elif own > options.least and not self._is_complete(run):
            if _step(run):
                initial = self._resume(experiment, run)
            elif start is not None and not start.exists():
                raise RunError(
                    f"{name} begins with {start.name}, which is not here. Give its pieces, which "
                    "the first stage left, by --resume."
                )
            else:
                initial = make_networks(experiment, 0, None if start else options.init, start)
            if self.device.startswith("cuda"):
                torch.cuda.reset_peak_memory_stats(self.device)
            try:
                train(
                    experiment,
                    [self.data / "training"],
                    run,
                    TrainOptions(
                        device=self.device,
                        precision=options.precision,
                        compile=self.compile,
                        workers=options.workers,
                        save_every=options.evaluate_every,
                        evaluate_every=options.evaluate_every,
                        max_minutes=seconds / 60,
                    ),
                    self.log,
                    name=name,
                    initial=initial,
                    evaluate=partial(self._evaluate, name),
                )
            finally:
                self.pack_state(name)
            over = own <= seconds  # its own minutes are over, evaluations included
            self.card.note(name, begun, self._peak_mb())
        if not _step(run) or not (over or own <= options.least or self._is_complete(run)):
            return False
        self._finish(stage, run)
        return True

    def _least(self, compiles: bool) -> float:
        """Return the seconds that a run must have left to train: the first step may compile."""
        path = self.results / "measured.json"
        known = compiles and path.exists()
        first = read_json(path, "rates")["first_step_seconds"] if known else 0.0
        return float(self.options.least + first)

    def _resume(self, experiment: Experiment, run: Path) -> InitialNetworks:
        """Return networks for a run that has a state, whose weights take their place."""
        record = read_record(run / RECORD)
        networks = make_networks(experiment, 0, None, None).networks
        origin = str(record.get("initial_weights", "see the first run"))
        return InitialNetworks(networks, origin, str(record["request"].get("begins_with")))

    def _evaluate(self, name: str, network: torch.nn.Module) -> list[dict[str, Any]]:
        """Score a network in training; the state, which was just saved, leaves this machine."""
        options = self.options
        chosen = ScoreOptions(device=self.device, precision=options.precision)
        sets = find_evaluation_sets(self.data / "training", [])
        results = quick_scores(network, sets, options.evaluate_pairs, chosen)
        if time.monotonic() - self.packed > self.options.pack_every:
            self.pack_state(name)
        return results

    def pack_state(self, name: str) -> None:
        """Put a stage's saved state under OUT."""
        run = self.runs / name
        if _step(run) and not self.leave(name, "state", _step(run), pack_run(run)):
            self.log.say(f"note: {name}'s state has no room in OUT: it resumes in --work alone")
        self.packed = time.monotonic()

    def leave(self, stage: str, ending: str, step: int, data: bytes) -> bool:
        """Put a stage's state or network under OUT, where it has room beside other stages'."""
        others = [path for path in self.out.iterdir() if not path.name.startswith(f"{stage}.")]
        used = sum(path.stat().st_size for path in others) + _SPARE_BYTES
        if used + len(data) > self.options.most_mib * 2**20:
            return False
        write_pieces(self.out, f"{stage}.{ending}", step, data)
        return True

    def _is_complete(self, run: Path) -> bool:
        return (run / RECORD).exists() and bool(read_record(run / RECORD)["complete"])

    def _finish(self, stage: Stage, run: Path) -> None:
        """Put a stage's network under OUT, in place of its state."""
        name, experiment, _ = stage
        for with_detection in (True, False):
            save_network(experiment, run, self.checkpoint(name), with_detection)
            data = self.checkpoint(name).read_bytes()
            if self.leave(name, "safetensors", _step(run), data):
                break
            what = "and its detection network have" if with_detection else "has"
            self.log.say(f"note: {name} {what} no room in OUT beside the other networks")
        for file in (HISTORY, EVALUATION, RECORD):
            write_whole(self.results / "training" / name / file, (run / file).read_bytes())
        self.pack_results()
        remove_pieces(self.out, f"{name}.state")
        self.log.say(f"{name}: finished at step {_step(run):,}")

    def score(self, name: str) -> None:
        """Score a stage's network on the test sets, as far as the time goes."""
        if not self.is_done(name) or not self.checkpoint(name).exists():
            return
        scorer = DetectorScorer(find_detector(str(self.checkpoint(name))))
        size = 64 if self.device.startswith("cuda") else 8
        options = ScoreOptions(device=self.device, batch_size=size)
        longest = 0.0
        for test_set in self.options.sets:
            begun = time.monotonic()
            if self.left() < longest:
                self.log.say(f"{name}: no time for the sets from {test_set} on; run again")
                break
            self.make_sets(test_set)
            jobs = make_score_jobs([self.data], [test_set], None, ListOptions(), self.log)
            run_jobs(scorer, jobs, self.scores / name, options, self.log)
            longest = max(longest, time.monotonic() - begun)
        write_summary(self.scores / name)

    def compare_precisions(self, name: str) -> None:
        """Score some pairs in float32 on the CPU, in float32 and bf16 on the device, once."""
        path = self.results / f"parity-{name}.json"
        if path.exists() or not self.checkpoint(name).exists() or self.left() < self.options.least:
            return
        sets = find_evaluation_sets(self.data / "training", [])
        rows = []
        for device, precision in (("cpu", "fp32"), (self.device, "fp32"), (self.device, "bf16")):
            network = load_checkpoint(self.checkpoint(name)).network.to(device)
            chosen = ScoreOptions(device=device, precision=precision)
            for summary in quick_scores(network, sets, self.options.parity_pairs, chosen):
                values = {key: summary[key] for key in ("set", "iou", "mcc", "nmm")}
                rows.append({"device": device, "precision": precision, **values})
        write_json(path, rows)
        for row in rows:
            self.log.say(f"parity: {json.dumps(row)}")

    def report(self) -> None:
        """Write tables, curves and rates from what there is."""
        self.results.mkdir(parents=True, exist_ok=True)
        scored = [path for path in sorted(self.scores.glob("*")) if list(path.glob(f"*/{RESULT}"))]
        for layout in LAYOUTS if scored else ():
            try:
                table = make_table(scored, TableOptions(layout, published=True, intervals=True))
                text = FORMATS["markdown"](table, 3, False)
                write_whole(self.results / f"table-{layout}.md", text.encode())
                self.log.say(text)
            except CisdlError as error:
                self.log.say(f"no table {layout}: {error}")
        stages, summary = {}, self.results / "summary.json"
        for name, _, _ in self.options.stages:
            folder = self.results / "training" / name if self.is_done(name) else self.runs / name
            if not _step(folder):
                continue
            record = read_record(folder / RECORD)
            pairs = record["step"] * record["experiment"]["batch"]
            stages[name] = {
                "step": record["step"],
                "pairs": pairs,
                "seconds": record["seconds"],
                "pairs_per_second": pairs / max(record["seconds"], 1e-9),
                "initial_weights": record.get("initial_weights"),
                "finished": self.is_done(name),
            }
            try:
                figure = draw("growth", [folder], FigureOptions(published=("DMVN",)), self.log)
                save_figure(figure, self.results / f"growth-{name}.png")
            except CisdlError as error:
                self.log.say(f"no growth curve of {name}: {error}")
        earlier = read_json(summary, "a summary") if summary.exists() else {}
        card = {**earlier.get("card", {}), **self.card.summary()}
        write_json(summary, {"stages": stages, "card": card})
        self.log.say(summary.read_text())

    def pack_results(self) -> None:
        """Put all results but the data under OUT."""
        archive = self.work / "results.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
            for path in sorted(self.results.rglob("*")):
                if path.is_file() and not path.name.startswith("."):
                    opened.write(path, path.relative_to(self.work))
        write_pieces(self.out, "results.zip", int(time.time()), archive.read_bytes())

    def _peak_mb(self) -> float | None:
        if not self.device.startswith("cuda"):
            return None
        return torch.cuda.max_memory_allocated(self.device) / 2**20

    def go(self) -> bool:
        """Do what is left in order; return whether nothing is left."""
        options, start = self.options, None
        if self.compile and (fault := find_compile_fault(self.device)):
            self.compile = False
            self.log.say(f"note: networks are not compiled, torch.compile fails here: {fault}")
        self.log.say(f"{device_name(self.device)}, torch {torch.__version__}, {options.precision}")
        self.restore()
        self.make_sets("training", "combination")
        self.measure()
        for stage in options.stages:
            if not self.train(stage, start):
                return False
            self.score(stage.name)
            self.compare_precisions(stage.name)
            start = self.checkpoint(stage.name)
        return all(self._is_scored(stage.name) for stage in options.stages)

    def _is_scored(self, name: str) -> bool:
        results = [read_result(path) for path in self.scores.glob(f"{name}/*/{RESULT}")]
        return sum(bool(result["complete"]) for result in results) >= 3 * len(self.options.sets)


def _step(run: Path) -> int:
    """Return the step that a run's folder was saved at; 0 where there is none."""
    if not ((run / RECORD).exists() and ((run / STATE).exists() or (run / HISTORY).exists())):
        return 0
    return int(read_record(run / RECORD).get("step", 0))


def parse_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add = parser.add_argument
    add("out", type=Path)
    add("--coco", type=Path, help="Photographs in COCO's layout; default: built-in ones.")
    add("--init", type=Path, help="VGG-16's or HED's weights, see `cisdl-bench fetch`.")
    add("--resume", type=Path, help="Folder with what an earlier run left; default: OUT.")
    add("--work", type=Path, default=Path(tempfile.gettempdir()) / "cisdl-gpu")
    add("--minutes", type=float, default=9, help="Of this run, all included.")
    add("--dmac-minutes", type=float, default=8, help="Of training the first stage, in all runs.")
    add("--adv-minutes", type=float, default=2, help="Of the adversarial stage, in all runs.")
    add("--experiment", default="dmac", help="Name or .toml of the first stage.")
    add("--adversarial", default="dmac-adv", help="The second stage; '' leaves it out.")
    add("--device", default="auto")
    add("--precision", default="bf16", choices=("fp32", "bf16"))
    add("--no-compile", dest="compile", action="store_false")
    add("--batch-size", type=int, default=24)
    add("--workers", type=int, default=0)
    add("--jobs", type=int, default=os.cpu_count() or 1, help="Processes that make the sets.")
    add("--train-pairs", type=int, default=120_000)
    add("--sets", nargs="+", default=paper_test_sets(), help="Test sets; default: the paper's 7.")
    add("--test-pairs", type=int, default=200)
    add("--evaluate-every", type=int, default=1500, help="Steps.")
    add("--evaluate-pairs", type=int, default=100)
    add("--parity-pairs", type=int, default=8, help="Of each of three sets, on the CPU too.")
    add("--profile-seconds", type=float, default=4)
    add(
        "--pack-every", type=float, default=60, help="Seconds from one state under OUT to the next."
    )
    add("--most-mib", type=float, default=64, help="Of all files under OUT together.")
    add("--reserve", type=float, default=45, help="Seconds kept for the end.")
    add("--least", type=float, default=15, help="Seconds below which a stage is not begun.")
    add("--rehearse", action="store_true", help="Small networks and pictures, on the CPU.")
    add("--join", action="store_true", help="Join OUT's pieces to networks, and stop.")
    add("--pack-init", type=Path, metavar="PATH", help="Write OUT from initial weights, and stop.")
    add("--size", type=int, default=256, help="Side of the pictures in px.")
    add("--width", type=float, default=1.0, help="Share of the network's channels.")
    options = parser.parse_args()
    if options.rehearse:
        parser.set_defaults(**_SMALL)
        options = parser.parse_args()
    stages = [_make_stage(options.experiment, options.dmac_minutes, options)]
    if options.adversarial:
        stages.append(_make_stage(options.adversarial, options.adv_minutes, options))
    networks = {stage.experiment.network for stage in stages}
    if len(networks) > 1:
        parser.error(
            f"stages of {' and '.join(sorted(networks))}: give --adversarial '' or another"
        )
    if any(stage.experiment.freeze for stage in stages):
        parser.error("a head on frozen features needs no card: `cisdl-bench train` trains it")
    options.stages = stages
    return options


def _make_stage(text: str, minutes: float, options: argparse.Namespace) -> Stage:
    """Return a stage by the name or the .toml of its experiment."""
    experiment = load_experiment(text)
    name = Path(text).stem if text.endswith(".toml") else text
    width = experiment.width * options.width
    changed = replace(experiment, batch=options.batch_size, epochs=1000, width=width)
    return Stage(name, changed, minutes)


def join(folder: Path, stage: Stage) -> Path:
    """Write a stage's network beside its pieces: the finished one, or the one so far."""
    name, experiment, _ = stage
    finished, state = (read_pieces(folder, f"{name}.{end}") for end in ("safetensors", "state"))
    target = folder / f"{name}.safetensors"
    if finished is not None:
        write_whole(target, finished.data)
        return target
    if state is None:
        raise RunError(f"{folder}: no pieces of {name} are whole. Give the folder that a run left.")
    with tempfile.TemporaryDirectory() as work:
        unpack_run(state.data, Path(work))
        save_network(experiment, Path(work), target)
    return target


def save_network(
    experiment: Experiment, run: Path, target: Path, with_detection: bool = True
) -> None:
    """Write the network of a run's state, float16."""
    networks = make_networks(experiment, 0, None, None).networks
    for key, tensors in load_tensors(run / STATE)["networks"].items():
        networks[key].load_state_dict(tensors)
    if not with_detection:
        networks = {"network": networks["network"]}
    training = describe_training(experiment, read_record(run / RECORD))
    save_checkpoint(target, assemble_network(networks, experiment), training, half=True)


def main() -> None:
    """Run the command."""
    options = parse_options()
    if options.pack_init:
        print(write_half(options.pack_init, options.out).origin)
        return
    if options.join:
        for stage in options.stages:
            with suppress(RunError):
                print(join(options.out, stage))
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    log = Log(options.out / "log.txt", BEGUN)
    with CardWatch() as card:
        job = Job(options, log, card)
        status, complete = 1, False
        try:
            complete = job.go()
            status = 0
        except KeyboardInterrupt:
            log.say("stopped; saved")
            status = 130
        except CisdlError as error:
            log.say(f"failed: {error}")
        except Exception:
            log.say(traceback.format_exc())
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):  # the end takes seconds
                signal.signal(number, signal.SIG_IGN)
            for end in (job.report, job.pack_results):
                try:
                    end()
                except Exception:
                    log.say(traceback.format_exc())
                    status = status or 1
        log.say("complete" if complete else "not complete: the same command resumes")
    sys.exit(status)


if __name__ == "__main__":
    main()
