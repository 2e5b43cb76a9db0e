"""Where torch computes: the device, and this process among those of torchrun."""

import gc
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cisdl_bench.errors import CisdlError


def choose_device(text: str) -> str:
    """Return the device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    ``auto`` is a CUDA device where there is one: under torchrun the one of this process.

    Raises:
        CisdlError: A device is asked for that this machine lacks; nothing falls back.
    """
    import torch

    local = os.environ.get("LOCAL_RANK", "0")
    if text == "auto":
        return f"cuda:{local}" if torch.cuda.is_available() else "cpu"
    if text == "cuda":
        text = f"cuda:{local}"
    wrong = CisdlError.expected("--device", "a device of this machine", text, "Use --device cpu")
    if not re.fullmatch(r"cpu|cuda:[0-9]+", text):
        raise wrong
    try:
        torch.empty(0, device=text)
    except (RuntimeError, AssertionError) as error:
        raise wrong from error
    return text


def device_name(device: str) -> str:
    """Return a device in words."""
    import torch

    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({torch.get_num_threads()} threads)"


@contextmanager
def float32_rule(exact: bool, *, benchmark: bool) -> Iterator[None]:
    """Decide how CUDA computes float32, for training and scoring alike; undone at the end.

    Args:
        exact: float32 is float32, never TF32, in matrix products and in convolutions.
        benchmark: cuDNN tries its algorithms and takes the fastest one, which may round
            differently in another run.
    """
    import torch

    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = cuda.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    cuda.allow_tf32 = cudnn.allow_tf32 = not exact
    cudnn.benchmark = benchmark
    try:
        yield
    finally:
        cuda.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before


@dataclass(frozen=True)
class Rank:
    """This process among those of the run.

    Attributes:
        number: 0 to ``total`` - 1; 0 writes what is common.
        total: Number of processes.
    """

    number: int = 0
    total: int = 1

    def share(self, indices: list[int], batch_size: int) -> list[int]:
        """Return this process's pairs: whole batches in turn, so each pair has one owner.

        >>> Rank(1, 2).share([0, 1, 2, 3, 4, 5, 6], 2)
        [2, 3, 6]
        """
        parts = [
            indices[start : start + batch_size] for start in range(0, len(indices), batch_size)
        ]
        return [index for part in parts[self.number :: self.total] for index in part]

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self.total > 1:
            import torch.distributed

            torch.distributed.barrier()

    def any(self, here: bool) -> bool:
        """Return whether something is so in any process; every process must ask."""
        if self.total == 1:
            return here
        import torch

        flag = torch.tensor(int(here))
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        return bool(flag)


@contextmanager
def ranked(device: str = "cpu") -> Iterator[Rank]:
    """Yield this process's rank, from torchrun's environment; one process where there is none.

    Args:
        device: Torch device whose tensors are exchanged; ``Rank`` exchanges on the CPU alone.
    """
    total = int(os.environ.get("WORLD_SIZE", "1"))
    if total == 1:
        yield Rank()
        return
    import torch
    import torch.distributed

    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    torch.distributed.init_process_group(backend)
    try:
        yield Rank(torch.distributed.get_rank(), total)
        torch.distributed.barrier()
    finally:
        # A network that is still wrapped for the group would abort the process at its end.
        gc.collect()
        torch.distributed.destroy_process_group()
