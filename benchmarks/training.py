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
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import torch

from cisdl_bench.store.torch_view import Batch, PairDataset
from cisdl_bench.training.epoch_order import EpochOrder
from cisdl_bench.training.experiments import load_experiment
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
    dataset = PairDataset([options.set])
    of = replace(load_experiment(options.experiment), batch=options.batch_size)
    chosen = TrainOptions(
        device=options.device, precision=options.precision, compile=options.compile
    )
    networks = {
        name: network.to(options.device).to(memory_format=torch.channels_last)
        for name, network in make_networks(of, 0, None, None).networks.items()
    }
    torch.backends.cudnn.benchmark = True
    stage = make_stage(networks, of, chosen)

    def batches(name: str) -> Iterator[Batch]:
        order = EpochOrder(find_kinds(dataset), of.flip, of.swap, 0, name)
        return feed(dataset, order, Part(of.batch), 0, options.device, options.workers)

    held = {name: cycle(list(islice(batches(name), 4))) for name in stage.feeds}
    of_step = of.batch
    of_loader = of.batch * sum(stage.feeds.values())

    def step(source: dict[str, Iterator[Batch]]) -> Callable[[], object]:
        # As `train` does: one look at the losses every 20 steps.
        losses: list[torch.Tensor] = []

        def one() -> None:
            losses.append(stage.step(source)["loss"])
            if len(losses) == 20:
                torch.stack(losses).cpu()
                losses.clear()

        return one

    alone = rate(step(held), of_step, options.seconds, options.device)
    fresh = {name: batches(name) for name in stage.feeds}
    counts = stage.feeds.items()
    loaded = rate(
        lambda: [next(fresh[name]) for name, n in counts for _ in range(n)],
        of_loader,
        min(5.0, options.seconds),
        options.device,
    )
    both = rate(
        step({name: batches(name) for name in stage.feeds}),
        of_step,
        options.seconds,
        options.device,
    )
    where = torch.cuda.get_device_name() if options.device.startswith("cuda") else options.device
    print(f"{of.name}, {dataset.size} px, batch {of.batch}, {options.precision}, {where}")
    print(f"loader alone   {loaded:9,.1f} pairs/s")
    print(f"step alone     {alone:9,.1f} pairs/s; it needs {alone * of_loader / of_step:,.1f}")
    print(f"both           {both:9,.1f} pairs/s, busy {both / alone:.1%}")
    print(f"an epoch of 1,035,255 pairs: {1_035_255 / both / 3600:,.1f} hours")


if __name__ == "__main__":
    main()
