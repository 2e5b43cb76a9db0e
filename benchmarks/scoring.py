"""What the scoring harness adds to a network's bare forward pass, and how fast masks are counted.

    python benchmarks/scoring.py SET [--model model.pt] [--pairs 40] [--device cpu] [--counts 63000]

SET is a generated set. The bare forward runs the same network on the same pairs, held in memory
as the device wants them, in the same batches; both are measured by turns, in one run. Counting
reads pairs and counts both masks against themselves shifted by a few pixels, beside reading
alone: the limit.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from cisdl_bench.metrics.counts import count
from cisdl_bench.models.detectors import NetworkDetector
from cisdl_bench.models.find import open_network
from cisdl_bench.scoring.batches import PerturbedPairs
from cisdl_bench.scoring.by_batch import score_batches
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.options import ScoreOptions, inference
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.run import score
from cisdl_bench.store import PairSet, open_pairs


class Silent:
    """Hears nothing."""

    def start(self, what: str, total: int, done: int = 0) -> None: ...
    def advance(self, n: int) -> None: ...
    def stop(self) -> None: ...
    def say(self, message: str) -> None: ...


def bare(network: torch.nn.Module, pairs: PairSet, n: int, settings: ScoreOptions) -> float:
    """Return seconds of the forward passes alone."""
    size = 1 if settings.device == "cpu" else settings.batch_size
    dataset = PerturbedPairs(pairs, Perturbation(), False)
    batches = []
    for start in range(0, n, size):
        batch = dataset.__getitems__(list(range(start, min(start + size, n))))
        batches.append([batch[side].to(settings.device) for side in ("probe", "donor")])
    with inference(settings):
        network.detect(*batches[0])
        begun = time.perf_counter()
        for probe, donor in batches:
            found = network.detect(probe, donor)
        found.probe[0, 0, 0].item()
        return time.perf_counter() - begun


def harness(detector: NetworkDetector, pairs: PairSet, n: int, settings: ScoreOptions) -> float:
    """Return seconds of reading, forward passes and counting, as `score` does them."""
    dataset = PerturbedPairs(pairs, Perturbation(), False)
    begun = time.perf_counter()
    total = sum(len(a) for a in score_batches(detector, dataset, range(n), settings))
    assert total == n
    return time.perf_counter() - begun


def counting(pairs: PairSet, n: int) -> tuple[float, float]:
    """Return seconds of reading n pairs, and of reading and counting both masks of each."""
    shape = (pairs.size, pairs.size)
    probe, donor = (np.zeros((*shape, 3), dtype=np.uint8) for _ in range(2))
    masks = np.zeros((2, *shape), dtype=bool)
    preds = np.roll(masks, 5, axis=2)
    order = np.random.default_rng(0).integers(0, len(pairs), n).tolist()
    spent = []
    for counted in (False, True):
        begun = time.perf_counter()
        for index in order:
            pairs.read_into(index, probe, donor, masks[0], masks[1])
            if counted:
                count(preds, masks)
        spent.append(time.perf_counter() - begun)
    return spent[0], spent[1]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("set", type=Path)
    parser.add_argument("--model", default="dmac")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--counts", type=int, default=63_000)
    options = parser.parse_args()
    pairs = open_pairs(options.set)
    settings = ScoreOptions(
        device=options.device, precision=options.precision, batch_size=options.batch_size
    )
    network, name = open_network(options.model)
    detector = NetworkDetector(name, "benchmark", network).prepare(options.device)
    n = min(options.pairs, len(pairs))
    alone, whole = [], []
    for _ in range(3):
        alone.append(bare(detector.network, pairs, n, settings))
        whole.append(harness(detector, pairs, n, settings))
    print(f"{name}, {options.precision}, {options.device}, {n} pairs, best of 3 by turns")
    print(f"forward alone     {n / min(alone):9.2f} pairs/s")
    print(f"score's harness   {n / min(whole):9.2f} pairs/s, {min(whole) / min(alone):.3f} of it")
    folder = Path(tempfile.mkdtemp())
    begun = time.perf_counter()
    score(detector, [ScoreJob(pairs, Perturbation())], folder, settings, Silent())
    print(f"a whole `score`   {len(pairs) / (time.perf_counter() - begun):9.2f} pairs/s")
    shutil.rmtree(folder)
    counting(pairs, 1000)
    reading, both = counting(pairs, options.counts)
    n = options.counts
    print(f"reading alone     {n / reading:9,.0f} pairs/s")
    print(f"reading, counting {n / both:9,.0f} pairs/s: {n:,} pairs in {both:.1f} s")
    print(f"counting          {n / (both - reading):9,.0f} pairs/s of two masks of 256 px")


if __name__ == "__main__":
    main()
