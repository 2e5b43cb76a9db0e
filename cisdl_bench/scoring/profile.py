"""What a network costs: parameters, arithmetic, seconds and memory a pair."""

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cisdl_bench.models.networks.registry import check_side, count_parameters
from cisdl_bench.scoring.options import ScoreOptions, inference

_BATCHES = {"cpu": (1, 2, 4, 8), "cuda": (1, 2, 4, 8, 16, 32, 64, 128, 256)}


def measure_cost(
    network: nn.Module, options: ScoreOptions, size: int, seconds: float
) -> dict[str, Any]:
    """Return what a network costs on pictures of one size, filled with noise.

    Args:
        network: Network with ``detect``; it is moved to the device.
        options: Device, precision and compilation.
        size: Side of the pictures in px.
        seconds: Shortest time that each batch size is measured for.

    Returns:
        ``parameters`` (trainable), ``gflop`` (a pair; convolutions and matrix products, one
        multiply-add is two), ``seconds`` (a pair, by batch size), ``best_batch``,
        ``peak_mb``: on a GPU of its memory, on a CPU the process's at its largest, NaN where the
        system does not say (only Linux does).
    """
    check_side(network, size, "--size")
    network = network.to(options.device).eval()
    kind = torch.device(options.device).type
    plain: Any = network.detect
    detect = torch.compile(plain) if options.compile else plain
    timed: dict[int, float] = {}
    if kind == "cuda":
        torch.cuda.reset_peak_memory_stats(options.device)
    with inference(options):
        pair = _noise(1, size, options.device)
        with FlopCounterMode(display=False) as counter:
            plain(*pair)
        for batch in _BATCHES[kind]:
            try:
                timed[batch] = _seconds(detect, _noise(batch, size, options.device), seconds)
            except torch.cuda.OutOfMemoryError:
                break
    return {
        "parameters": count_parameters(network),
        "gflop": counter.get_total_flops() / 1e9,
        "seconds": {batch: spent / batch for batch, spent in timed.items()},
        "best_batch": min(timed, key=lambda batch: timed[batch] / batch),
        "peak_mb": _peak_mb(options.device),
    }


def _noise(batch: int, size: int, device: str) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (2, batch, 3, size, size)
    both = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator).to(device)
    return both[0], both[1]


def _seconds(detect: Any, pair: tuple[Tensor, Tensor], least: float) -> float:
    """Return the median seconds of a call, after one that is not counted."""
    times: list[float] = []
    for k in range(1000):
        begun = time.perf_counter()
        detect(*pair).probe.cpu()
        if k:
            times.append(time.perf_counter() - begun)
        if sum(times) >= least and len(times) >= 3:
            break
    return sorted(times)[len(times) // 2]


def _peak_mb(device: str) -> float:
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    # Not getrusage: its peak is inherited from whoever started the process.
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10
