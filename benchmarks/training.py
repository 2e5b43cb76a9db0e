"""Whether the data keep up with the network: pairs a second of the loader, the step, and both.

    python benchmarks/training.py SET [--experiment dmac] [--device cpu] [--batch-size 24]
                                  [--precision fp32] [--seconds 20]

SET is a generated training set. The step alone learns again and again from batches that are
already on the device; the loader alone brings batches there and drops them; then both together,
as `train` does. `busy` is the share of the whole that the step alone would take: of a GPU, how
busy the data keep it.
"""

import argparse
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import torch

from cisdl_bench.devices import float32_rule
from cisdl_bench.store.torch_view import Batch, PairDataset
from cisdl_bench.training.epoch_order import EpochOrder
from cisdl_bench.training.experiments import Experiment, load_experiment
from cisdl_bench.training.feed import Part, feed
from cisdl_bench.training.initial_weights import make_networks
from cisdl_bench.training.kinds import find_kinds
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.stages import make_stage


def rate(step: Callable[[], object], pairs: int, seconds: float, device: str) -> float:
    """Return pairs a second of a step, after two that warm up."""
    for _ in range(2):
        step()
    wait(device)
    n, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        step()
        n += 1
        if n % 8 == 0:
            wait(device)
    wait(device)
    return n * pairs / (time.perf_counter() - begun)


def wait(device: str) -> None:
    """Wait for the device."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def measure(
    path: Path, experiment: Experiment, options: TrainOptions, seconds: float
) -> dict[str, float]:
    """Return pairs a second of the loader, of the step, and of both; seconds of the first step.

    Args:
        path: Generated training set.
        experiment: Experiment whose steps are measured.
        options: Device, precision and compilation.
        seconds: Seconds for which the step, and both together, are measured.
    """
    dataset, device = PairDataset([path]), options.device
    networks = {
        name: network.to(device).to(memory_format=torch.channels_last)
        for name, network in make_networks(experiment, 0, None, None).networks.items()
    }
    stage = make_stage(networks, experiment, options)

    def batches(name: str) -> Generator[Batch, None, None]:
        order = EpochOrder(find_kinds(dataset), experiment.flip, experiment.swap, 0, name)
        return feed(dataset, order, Part(experiment.batch), 0, device, options.workers)

    def step(source: Mapping[str, Iterator[Batch]]) -> Callable[[], object]:
        # As `train` does: one look at the losses every 20 steps.
        losses: list[torch.Tensor] = []

        def one() -> None:
            losses.append(stage.step(source)["loss"])
            if len(losses) == 20:
                torch.stack(losses).cpu()
                losses.clear()

        return one

    pairs = experiment.batch
    loaded = pairs * sum(stage.feeds.values())
    with ExitStack() as stack, float32_rule(options.precision == "fp32", benchmark=True):
        first, fresh = (
            {name: stack.enter_context(closing(batches(name))) for name in stage.feeds}
            for _ in range(2)
        )
        held = {name: cycle(list(islice(source, 4))) for name, source in first.items()}
        begun = time.perf_counter()
        step(held)()
        wait(device)
        first_step = time.perf_counter() - begun
        alone = rate(step(held), pairs, seconds, device)
        counts = stage.feeds.items()
        loader = rate(
            lambda: [next(fresh[name]) for name, n in counts for _ in range(n)],
            loaded,
            min(5.0, seconds),
            device,
        )
        both = rate(step(fresh), pairs, seconds, device)
    return {
        "loader": loader,
        "step": alone,
        "both": both,
        "needed": alone * loaded / pairs,
        "first_step_seconds": first_step,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("set", type=Path)
    parser.add_argument("--experiment", default="dmac")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--batch-size", type=int, default=24)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    experiment = replace(load_experiment(options.experiment), batch=options.batch_size)
    chosen = TrainOptions(
        device=options.device,
        precision=options.precision,
        compile=options.compile,
        workers=options.workers,
    )
    rates = measure(options.set, experiment, chosen, options.seconds)
    both, size = rates["both"], PairDataset([options.set]).size
    where = torch.cuda.get_device_name() if options.device.startswith("cuda") else options.device
    print(f"{experiment.name}, {size} px, batch {experiment.batch}, {options.precision}, {where}")
    print(f"loader alone   {rates['loader']:9,.1f} pairs/s")
    print(f"step alone     {rates['step']:9,.1f} pairs/s; it needs {rates['needed']:,.1f}")
    print(f"both           {both:9,.1f} pairs/s, busy {both / rates['step']:.1%}")
    print(f"the first step {rates['first_step_seconds']:9,.1f} s")
    print(f"an epoch of 1,035,255 pairs: {1_035_255 / both / 3600:,.1f} hours")


if __name__ == "__main__":
    main()
