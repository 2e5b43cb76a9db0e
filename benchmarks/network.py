"""DMAC's forward pass against the obvious form and against its VGG passes alone, in one run.

    python benchmarks/network.py [--device cpu] [--batch 1] [--rounds 7] [--precision fp32]

The obvious form re-indexes whole correlation tensors, four times a level, as the paper's
equations are written; its outputs are compared with ours. Rounds alternate between the forms, and
the best of each is printed. Memory is what matching takes at its peak, above what is held once
the features are there, in a process of its own for each form.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from cisdl_bench.models.networks.correlation import TOP, Correlations
from cisdl_bench.models.networks.dmac import Dmac
from cisdl_bench.scoring.options import ScoreOptions, inference


def obvious(a: Tensor, b: Tensor) -> Correlations:
    """Return what ``correlate`` returns, by building every translation's map."""
    return Correlations(_pooled(a, b), _pooled(a, a, True), _pooled(b, a), _pooled(b, b, True))


def _pooled(a: Tensor, b: Tensor, symmetric: bool = False) -> Tensor:
    n, channels, h, w = a.shape
    product = torch.bmm(a.flatten(2).transpose(1, 2), b.flatten(2)) / channels
    i, j, t, u = (torch.arange(k, device=a.device) for k in (h, w, h, w))
    row = (i[None, None, :, None] + t[:, None, None, None]) % h
    column = (j[None, None, None, :] + u[None, :, None, None]) % w
    index = (row * w + column).reshape(h * w, h * w)
    maps = product.transpose(1, 2).gather(1, index.expand(n, -1, -1))
    totals = maps.sum(dim=2)
    if symmetric:  # the tie rule of the protocol
        square = totals.reshape(n, h, w)
        totals = ((square + square.flip(1, 2).roll((1, 1), (1, 2))) / 2).flatten(1)
    order = totals.sort(dim=1, descending=True, stable=True).indices[:, :TOP]
    top = maps.gather(1, order.unsqueeze(2).expand(-1, -1, h * w))
    three = (maps.amax(1, keepdim=True), maps.mean(1, keepdim=True), top)
    return torch.cat(three, dim=1).reshape(n, TOP + 2, h, w)


def forward(network: Dmac, form: str, probe: Tensor, donor: Tensor) -> object:
    """Return DMAC's logits by one form, or its features alone."""
    both = network.describe(torch.cat((probe, donor)))
    return both if form == "features" else matched(network, form, both)


def matched(network: Dmac, form: str, both: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return DMAC's logits from the features by one form."""
    n = len(both[0]) // 2
    first, second = [x[:n] for x in both], [x[n:] for x in both]
    if form == "ours":
        return network.match(first, second)
    levels = [obvious(a.contiguous(), b.contiguous()) for a, b in zip(first, second, strict=True)]
    maps = (
        torch.cat([m for c in levels for m in (c.ab, c.aa)], dim=1),
        torch.cat([m for c in levels for m in (c.ba, c.bb)], dim=1),
    )
    return network.aspp(torch.cat(maps)).chunk(2)


def make(batch: int, device: str) -> tuple[Dmac, Tensor, Tensor]:
    """Return a network and a batch of pictures, seeded."""
    torch.manual_seed(0)
    network = Dmac().eval().to(device, memory_format=torch.channels_last)
    pictures = torch.randint(0, 256, (2, batch, 3, 256, 256), dtype=torch.uint8, device=device)
    return network, pictures[0], pictures[1]


def peak_mb(form: str, options: argparse.Namespace) -> float:
    """Return the peak memory of matching above that before it, in a process of its own."""
    arguments = ["--device", options.device, "--batch", str(options.batch), "--peak", form]
    arguments += ["--precision", options.precision]
    shown = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, capture_output=True, text=True
    )
    return float(shown.stdout)


def high_water_mb() -> float:
    """Return the most memory that this process has held since it was last reset (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()
    network, probe, donor = make(options.batch, options.device)
    cuda = options.device.startswith("cuda")
    with inference(ScoreOptions(device=options.device, precision=options.precision)):
        if options.peak:
            both = forward(network, "features", probe, donor)
            matched(network, options.peak, [x[:, :, :8, :8].contiguous() for x in both])
            if cuda:
                torch.cuda.reset_peak_memory_stats()
                before = torch.cuda.memory_allocated()
                matched(network, options.peak, both)
                print((torch.cuda.max_memory_allocated() - before) / 2**20)
                return
            Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
            before = high_water_mb()
            matched(network, options.peak, both)
            print(high_water_mb() - before)
            return
        forms = ("features", "ours", "obvious")
        results = {form: forward(network, form, probe, donor) for form in forms}
        ours, theirs = results["ours"], results["obvious"]
        gap = max(
            float((x - y).abs().max() / y.abs().max()) for x, y in zip(ours, theirs, strict=True)
        )
        times: dict[str, list[float]] = {form: [] for form in forms}
        for _ in range(options.rounds):
            for form in forms:
                begun = time.perf_counter()
                forward(network, form, probe, donor)
                if cuda:
                    torch.cuda.synchronize()
                times[form].append((time.perf_counter() - begun) / options.batch)
    floor = min(times["features"])
    print(f"DMAC, {options.precision}, batch {options.batch}, {options.device}, 256 px")
    for form, name in (("features", "VGG alone"), ("ours", "ours"), ("obvious", "obvious form")):
        best = min(times[form])
        line = f"{name:14} {best:.4f} s a pair, {best / floor:.3f} of VGG"
        if form != "features":
            line += f", {peak_mb(form, options):6.1f} MB more after the features"
        print(line)
    print(f"largest relative difference of the logits: {gap:.1e}")


if __name__ == "__main__":
    main()
