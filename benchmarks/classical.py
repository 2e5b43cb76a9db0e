"""Methods without training: pairs a second of this code and of another revision, and their masks.

    cisdl-bench generate --set all --pairs 8 -o sets
    python benchmarks/classical.py sets --before REVISION [--pairs 2] [--method luo-blocks ...]

Both revisions run in processes of their own, on one core each, by turns: pair by pair in one run.
Times are CPU seconds of the calls alone. Masks agree by their intersection over their union, at
one half, averaged over both masks of all pairs; "equal" are those that are the same bit for bit.
Without --before only this code is timed.
"""

import argparse
import io
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent


def answer() -> None:
    """Answer pickled requests, (method, view), with CPU seconds and both masks."""
    import cv2
    import torch

    from cisdl_bench.models.classical.registry import make_method
    from cisdl_bench.models.detection import View

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    methods: dict[str, Any] = {}
    while True:
        try:
            name, view = pickle.load(sys.stdin.buffer)  # noqa: S301
        except EOFError:
            return
        if name not in methods:
            methods[name] = make_method(name)
            methods[name].detect_pair(View(*view))  # what is kept between pairs is made now
        begun = time.process_time()
        detection = methods[name].detect_pair(View(*view))
        seconds = time.process_time() - begun
        masks = [np.asarray(mask) for mask in detection[:2]]
        pickle.dump((seconds, masks), sys.stdout.buffer)
        sys.stdout.buffer.flush()


def check_out(revision: str, folder: Path) -> Path:
    """Write a revision of the toolkit where it can be imported from, and return that folder."""
    archive = subprocess.run(
        ["git", "archive", revision, "cisdl_bench", "models", "cli", "data_specs"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    for name in ("models", "cli", "data_specs"):
        (folder / name).rename(folder / "cisdl_bench" / name)
    return folder


class Worker:
    """A process that imports the toolkit from a folder, or the one that is installed."""

    def __init__(self, folder: Path | None) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        if folder is not None:
            environment["PYTHONPATH"] = str(folder)
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--answer"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, method: str, view: tuple[Any, ...]) -> tuple[float, list[Any]]:
        """Return CPU seconds and both masks of one pair."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump((method, view), self._process.stdin)
        self._process.stdin.flush()
        seconds, masks = pickle.load(self._process.stdout)  # noqa: S301
        return seconds, masks

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def overlap(a: Any, b: Any) -> float:
    """Return the intersection over the union of two masks at one half; 1 where both are empty."""
    a, b = a > 0.5, b > 0.5
    union = np.count_nonzero(a | b)
    return float(np.count_nonzero(a & b) / union) if union else 1.0


def main() -> None:
    """Print the figures."""
    from cisdl_bench.models.classical.registry import untrained_methods
    from cisdl_bench.store import open_pairs

    parser = argparse.ArgumentParser()
    parser.add_argument("sets", type=Path)
    parser.add_argument("--before", metavar="REVISION")
    parser.add_argument("--pairs", type=int, default=2, help="of each set")
    parser.add_argument("--method", action="append")
    options = parser.parse_args()
    views, truths = [], []
    for folder in sorted(path.parent for path in options.sets.glob("*/manifest.json")):
        pairs = open_pairs(folder)
        for index in list(pairs.indices)[: options.pairs]:
            pair = pairs.pair(index)
            views.append((pair.probe, pair.donor, f"{folder.name}/{index}"))
            truths.append((pair.probe_mask, pair.donor_mask))
    with tempfile.TemporaryDirectory() as folder:
        workers = {"now": Worker(None)}
        if options.before:
            workers["before"] = Worker(check_out(options.before, Path(folder)))
        print(f"{len(views)} pairs, CPU time, one core; masks of now against before")
        for method in options.method or untrained_methods():
            spent: dict[str, list[float]] = {name: [] for name in workers}
            scores: dict[str, list[float]] = {name: [] for name in workers}
            agree, equal = [], 0
            for view, truth in zip(views, truths, strict=True):
                masks = {}
                for name, worker in workers.items():
                    seconds, masks[name] = worker.ask(method, view)
                    spent[name].append(seconds)
                    scores[name] += [
                        overlap(*both) for both in zip(masks[name], truth, strict=True)
                    ]
                if options.before:
                    for now, before in zip(masks["now"], masks["before"], strict=True):
                        agree.append(overlap(now, before))
                        equal += np.array_equal(now, before)
            rates = {name: 1 / np.mean(seconds) for name, seconds in spent.items()}
            line = f"{method:16} {rates['now']:7.2f} pairs/s, IoU {np.mean(scores['now']):.4f}"
            if options.before:
                line += f"; before {rates['before']:7.2f}, IoU {np.mean(scores['before']):.4f}; "
                line += f"{rates['now'] / rates['before']:.1f} times as fast; masks agree "
                line += f"{np.mean(agree):.4f}, {equal} of {len(agree)} equal"
            print(line, flush=True)
        for worker in workers.values():
            worker.stop()


if __name__ == "__main__":
    answer() if sys.argv[1:] == ["--answer"] else main()
