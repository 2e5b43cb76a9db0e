"""A network that learns: its optimizer, and its gradients over pieces and processes."""

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from inspect import signature
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn

from cisdl_bench.training.experiments import OptimizerSpec
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.statistics import Statistics

_FORWARD = "forward_sync_buffers"  # torch 2.13's name of what was broadcast_buffers
_PARALLEL = signature(nn.parallel.DistributedDataParallel.__init__).parameters
#: Batch statistics are each process's own during a step, as each piece's are.
_OWN_BUFFERS: dict[str, Any] = {_FORWARD if _FORWARD in _PARALLEL else "broadcast_buffers": False}


class Learner:
    """A network with its optimizer.

    Args:
        network: Network on its device.
        spec: Name and settings of the optimizer.
        options: Precision, pieces and compilation.

    Attributes:
        network: Network in training mode.
        optimizer: Optimizer of the network's weights.
        statistics: Running statistics of the network, averaged over pieces and processes.
        call: Module of forward passes whose gradients the processes exchange.
    """

    def __init__(self, network: nn.Module, spec: OptimizerSpec, options: TrainOptions) -> None:
        self.network = network.train()
        self.optimizer = _make_optimizer(network, spec)
        call: Any = torch.compile(network) if options.compile else network
        self.parallel = None
        self.statistics = Statistics(network, options.pieces)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            self.parallel = nn.parallel.DistributedDataParallel(
                call, gradient_as_bucket_view=True, **_OWN_BUFFERS
            )
        self.call: nn.Module = self.parallel or call
        self._pieces, self._spec = options.pieces, spec

    def set_progress(self, share: float) -> None:
        """Set the learning rate for a share of the run's steps that is done, 0 to 1."""
        if self._spec.schedule == "cosine":
            for group in self.optimizer.param_groups:
                group["lr"] = self._spec.learning_rate * (1 + math.cos(math.pi * share)) / 2

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of one piece."""
        (loss / self._pieces).backward()  # type: ignore[no-untyped-call]

    def piece(self, number: int) -> AbstractContextManager[Any]:
        """Return the context of one piece: processes exchange gradients after the last."""
        if self.parallel is not None and number < self._pieces - 1:
            return self.parallel.no_sync()
        return nullcontext()

    def step(self) -> None:
        """Update the weights, and forget the gradients."""
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def average_statistics(learners: Iterable[Learner]) -> None:
    """Make the running statistics of networks the mean over all processes."""
    for learner in learners:
        if learner.parallel is not None:
            learner.statistics.average()


def autocast(options: TrainOptions) -> AbstractContextManager[Any]:
    """Return the context that forward passes run in; losses are always float32."""
    kind = torch.device(options.device).type
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=options.precision == "bf16")


def _make_optimizer(network: nn.Module, spec: OptimizerSpec) -> torch.optim.Optimizer:
    parameters = [p for p in network.parameters() if p.requires_grad]
    if spec.name == "adadelta":
        return torch.optim.Adadelta(parameters, lr=spec.learning_rate)
    betas = (spec.betas[0], spec.betas[1]) if spec.betas else (0.9, 0.999)
    return torch.optim.Adam(parameters, lr=spec.learning_rate, betas=betas)
