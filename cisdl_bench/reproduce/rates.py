"""How fast this machine trains and scores: measured on noise, once for each kind of work."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypedDict

import cv2
import numpy as np
import torch
from msgspec import Meta

from cisdl_bench.devices import device_name, float32_rule
from cisdl_bench.errors import CisdlError
from cisdl_bench.models.detection import PairBatch, View
from cisdl_bench.models.detectors import Detector
from cisdl_bench.scoring.options import ScoreOptions, inference
from cisdl_bench.store.atomic import read_json, write_json
from cisdl_bench.store.torch_view import Batch
from cisdl_bench.training.describer import Describer
from cisdl_bench.training.experiments import Experiment
from cisdl_bench.training.initial_weights import make_networks
from cisdl_bench.training.loss_terms import find_opponents
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.stages import make_stage

RATES = "rates.json"
_CPU_BATCH = 3
_MAP_BYTES = 2  # of a number in maps of frozen features
_COPIES = 4  # of the weights: in the checkpoint, in the state, and two moments of the optimizer


class Rate(TypedDict):
    """Speed of one kind of work, and the bytes that it leaves on disk, once and for each pair."""

    pairs_per_second: Annotated[float, Meta(gt=0)]
    bytes: Annotated[int, Meta(ge=0)]
    pair_bytes: Annotated[float, Meta(ge=0)]


class _Stored(TypedDict):
    """What ``rates.json`` holds: rates by device and work."""

    rates: dict[str, dict[str, Rate]]


@dataclass(frozen=True)
class Rates:
    """Rates of this machine, kept in a file so that a resumed run need not measure again.

    Attributes:
        path: File that they are kept in.
    """

    path: Path

    def find(self, device: str, work: str, measure: Callable[[], Rate]) -> Rate:
        """Return a rate: the one that is kept, else measured now and kept.

        Args:
            device: Torch device, such as ``cuda:0``.
            work: Kind of work, such as ``train dmac 256 px``.
            measure: Measures the rate.
        """
        kept = self._read()
        name = device_name(device)
        if work not in kept.get(name, {}):
            kept.setdefault(name, {})[work] = measure()
            write_json(self.path, {"rates": kept})
        return kept[name][work]

    def _read(self) -> dict[str, dict[str, Rate]]:
        try:
            stored: _Stored = read_json(self.path, "measured rates", _Stored)
        except CisdlError:  # none yet, or damaged: it is measured again
            return {}
        return stored["rates"]


def name_training(experiment: Experiment, options: TrainOptions, side: int) -> str:
    """Return the kind of work of a training run: experiments of one kind are equally fast."""
    steps = experiment.adversarial.steps if experiment.adversarial else 0
    parts = (experiment.stage, experiment.network, f"width {experiment.width:g}")
    frozen = [f"frozen {name}, {experiment.epochs} epochs" for name in experiment.freeze]
    beside = (*find_opponents(experiment), *frozen, f"k {steps}", options.precision, f"{side} px")
    return " ".join(("train", *parts, *beside, *(["compiled"] if options.compile else [])))


def measure_training(experiment: Experiment, options: TrainOptions, side: int) -> Rate:
    """Return how fast an experiment trains, on pairs of noise.

    Args:
        experiment: Experiment whose steps are timed; its weights are drawn.
        options: Device, precision and compilation.
        side: Side of the pictures in px.
    """
    on_gpu = options.device.startswith("cuda")
    batch = experiment.batch if on_gpu else min(experiment.batch, _CPU_BATCH)
    # Only its size matters, so the experiment that it builds on need not be there.
    networks = make_networks(replace(experiment, batch=batch), 0, None, None).networks
    size = sum(p.numel() * p.element_size() for one in networks.values() for p in one.parameters())
    placed = {
        name: one.to(options.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for name, one in networks.items()
    }
    noise, pair_bytes, once = _noise_batch(batch, side, options.device), 0.0, 0.0
    with float32_rule(options.precision == "fp32", benchmark=True):
        stage = make_stage(placed, experiment, options)
        if experiment.freeze:  # maps of its features are made once, for all epochs
            begun = time.perf_counter()
            maps = Describer(placed["network"], options).compare(noise["probe"], noise["donor"])
            once = (time.perf_counter() - begun) / batch / experiment.epochs
            noise["maps"] = maps
            pair_bytes = maps.numel() / batch * _MAP_BYTES
        feeds = {name: _endless(noise) for name in stage.feeds}
        times = []
        for _ in range(8 if on_gpu else 2):
            begun = time.perf_counter()
            float(stage.step(feeds)["loss"])
            times.append(time.perf_counter() - begun)
    seconds = min(times) / batch + once
    return {"pairs_per_second": 1 / seconds, "bytes": size * _COPIES, "pair_bytes": pair_bytes}


def _endless(batch: Batch) -> Iterator[Batch]:
    while True:
        yield batch


def _noise_batch(batch: int, side: int, device: str) -> Batch:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(
        0, 256, (2, batch, 3, side, side), dtype=torch.uint8, generator=generator
    )
    masks = torch.randint(0, 2, (2, batch, side, side), dtype=torch.uint8, generator=generator)
    tensors = {
        "probe": pictures[0],
        "donor": pictures[1],
        "probe_mask": masks[0],
        "donor_mask": masks[1],
        "known": torch.ones(batch, 2, dtype=torch.bool),
        "label": torch.arange(batch) % 2,
        "kind": torch.zeros(batch, dtype=torch.int64),
    }
    return {name: value.to(device) for name, value in tensors.items()}


def measure_scoring(detector: Detector, options: ScoreOptions, side: int) -> Rate:
    """Return how fast a detector answers, on pictures of smooth noise.

    Args:
        detector: Network or method without training.
        options: Device, precision, batch size and number of workers.
        side: Side of the pictures in px.
    """
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (2, side // 4, side // 4, 3), dtype=np.uint8)
    probe, donor = (cv2.resize(one, (side, side), interpolation=cv2.INTER_CUBIC) for one in small)
    truth = (np.zeros((side, side), dtype=bool),) * 2
    view = View(probe, donor, "noise/0", truth if detector.sees_truth else None)
    pair, count = PairBatch.from_view(view), 1
    if detector.needs_device and options.device.startswith("cuda"):
        count = options.batch_size
        probes, donors = (one.expand(count, -1, -1, -1) for one in (pair.probe, pair.donor))
        pair = PairBatch(probes, donors).to(options.device)
    prepared = detector.prepare(options.device, compiled=options.compile)
    times = []
    with inference(options):
        for _ in range(2):
            begun = time.perf_counter()
            prepared.detect(pair).probe.cpu()
            times.append(time.perf_counter() - begun)
    parallel = 1 if detector.needs_device else max(1, options.workers)
    return {"pairs_per_second": count * parallel / min(times), "bytes": 0, "pair_bytes": 0.0}
