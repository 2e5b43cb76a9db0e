"""Kill training at random moments and compare what it ends in with an undisturbed run.

A campaign, outside the test suite. Both stages, a narrow network on pairs of 64 px made from the
built-in pictures; a killed run is started again, and killed again, until it is finished. Weights
and buffers of the checkpoint, ``history.csv`` without its times, and ``evaluation.csv`` must be
those of the undisturbed run, bit for bit.

    python benchmarks/kill_training.py --kills 30 --threads 2 --folder kills
"""

import argparse
import csv
import multiprocessing
import os
import random
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cisdl_bench.cli.main import main as cisdl_bench
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.specs import spec_text
from cisdl_bench.training.experiments import Experiment, load_experiment
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.run import train

FORK = multiprocessing.get_context("fork")
CHOICES = TrainOptions(log_every=1, save_every=2, evaluate_every=3)
SIDE = 64


class Silent:
    """Progress that nobody sees."""

    def start(self, what: str, total: int, done: int = 0) -> None: ...

    def advance(self, n: int) -> None: ...

    def note(self, text: str) -> None: ...

    def stop(self) -> None: ...

    def say(self, message: str) -> None: ...


def evaluate(network: nn.Module) -> list[dict[str, Any]]:
    """Return numbers that change with any weight, in place of a set's scores."""
    plain: Any = network
    generator = torch.Generator().manual_seed(0)
    probe, donor = torch.randint(0, 256, (2, 1, 3, SIDE, SIDE), generator=generator)
    with torch.no_grad():
        found = plain.detect(probe.to(torch.uint8), donor.to(torch.uint8))
    masks = [float(mask.double().mean()) for mask in (found.probe, found.donor)]
    return [{"set": name, "iou": masks[0], "mcc": masks[1], "nmm": 0.0} for name in ("a", "b")]


def run(experiment: Experiment, pairs: Path, out: Path, start: Path | None, threads: int) -> None:
    """Train in this process."""
    torch.set_num_threads(threads)
    train(experiment, [pairs], out, CHOICES, Silent(), name="n", start=start, evaluate=evaluate)


def started(*arguments: Any) -> Any:
    """Return a process that trains."""
    process = FORK.Process(target=run, args=arguments)
    process.start()
    return process


def outcome(out: Path) -> dict[str, Any]:
    """Return what a finished run left, as values that can be compared."""
    found: dict[str, Any] = dict(load_checkpoint(out / "n.pt").network.state_dict())
    with (out / "history.csv").open(newline="") as file:
        rows = [{k: v for k, v in r.items() if "second" not in k} for r in csv.DictReader(file)]
    return {**found, "history": rows, "evaluation": (out / "evaluation.csv").read_text()}


def differing(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """Return the names of what differs."""
    return [
        name
        for name in a.keys() | b.keys()
        if name not in a
        or name not in b
        or not (torch.equal(a[name], b[name]) if torch.is_tensor(a[name]) else a[name] == b[name])
    ]


def wait_for_saves(process: Any, state: Path, count: int) -> None:
    """Wait until a state was written so many times, or the run has ended."""
    last = None
    while process.exitcode is None and count:
        try:
            now = state.stat().st_ino
        except FileNotFoundError:
            now = None
        if now != last:
            last, count = now, count - 1
        process.join(0.002)


def campaign(
    name: str, kills: int, pairs: Path, folder: Path, start: Path | None, threads: int, epochs: int
) -> int:
    """Kill one stage's runs; return how many ended in something else."""
    of = replace(load_experiment(name), width=0.125, batch=6, epochs=epochs)
    begun = time.monotonic()
    references = []
    for number in range(3):
        out = folder / f"{name}-whole-{number}"
        process = started(of, pairs, out, start, threads)
        process.join()
        references.append(outcome(out))
    seconds = (time.monotonic() - begun) / 3
    for other in references[1:]:
        print(
            f"{name}: undisturbed again: differs in {differing(references[0], other) or 'nothing'}"
        )
    rng, done, wrong, run_number = random.Random(threads), 0, 0, 0  # noqa: S311
    while done < kills:
        out = folder / f"{name}-{run_number}"
        run_number += 1
        moments = []
        while True:
            process = started(of, pairs, out, start, threads)
            begun = time.monotonic()
            if rng.random() < 0.5:
                process.join(rng.uniform(0, seconds))
            else:
                wait_for_saves(process, out / "state.torch", rng.randrange(1, 6))
                process.join(rng.uniform(0, 0.1))
            moment = time.monotonic() - begun
            if process.exitcode is not None:
                break
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            done += 1
            moments.append(f"{moment:.3f}")
            if len(moments) >= 4:  # the rest undisturbed
                process = started(of, pairs, out, start, threads)
                process.join()
                break
        odd = differing(references[0], outcome(out))
        if odd or process.exitcode:
            wrong += 1
            print(f"{out}: exit code {process.exitcode}, killed after {moments} s; differs: {odd}")
        else:
            shutil.rmtree(out)
    print(f"{name}: {done} kills in {run_number} runs of {seconds:.1f} s: {wrong} ended otherwise")
    return wrong


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30, help="of each stage")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("kills"))
    parser.add_argument("--stages", nargs="*", default=["dmac", "dmac-adv"])
    options = parser.parse_args()
    torch.set_num_threads(1)  # a forked process must not inherit a pool of threads
    data: Path = options.folder / "data"
    data.mkdir(parents=True)
    text = spec_text("training").replace("size = 256 ", f"size = {SIDE} ")
    (data / "small.toml").write_text(text)
    words = ["generate", "--set", data / "small.toml", "--pairs", 33, "--out", data, "--jobs", 1]
    cisdl_bench([str(word) for word in words], standalone_mode=False)
    pairs = data / "training"
    first = folder_of_first(options.folder, pairs, options.threads)
    wrong = 0
    for name in options.stages:
        start = None if name == "dmac" else first
        wrong += campaign(
            name, options.kills, pairs, options.folder, start, options.threads, options.epochs
        )
    raise SystemExit(1 if wrong else 0)


def folder_of_first(folder: Path, pairs: Path, threads: int) -> Path:
    """Return the checkpoint of a first stage, for the second to begin with."""
    of = replace(load_experiment("dmac"), width=0.125, batch=6, epochs=1)
    process = started(of, pairs, folder / "first", None, threads)
    process.join()
    return folder / "first" / "n.pt"


if __name__ == "__main__":
    main()
