"""What ``train_on_gpu.py`` asks of a machine: how busy its card is, and whether it compiles."""

import subprocess
import threading
import time
from pathlib import Path
from statistics import mean
from typing import Any, Self

import torch
from torch import nn

_ASKED = "utilization.gpu,memory.used,power.draw"
_COLUMNS = ("busy_percent", "memory_mib", "power_w")


class Log:
    """Progress as lines, on the terminal and in a file that is flushed line by line.

    Args:
        path: File of the log; lines are appended.
        begun: Time of ``time.monotonic`` from which lines are timed.
    """

    def __init__(self, path: Path, begun: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._begun, self._noted = begun, 0.0

    def say(self, message: str) -> None:
        """Show a line."""
        line = f"{time.monotonic() - self._begun:7.1f} s  {message}"
        print(line, flush=True)
        self._file.write(f"{line}\n")

    def start(self, what: str, total: int | None, done: int = 0, name: str = "") -> None:
        """Begin a stage; nothing is shown."""

    def advance(self, n: int) -> None:
        """Count units; nothing is shown."""

    def note(self, text: str) -> None:
        """Show the latest numbers, every ten seconds."""
        if time.monotonic() - self._noted > 10:
            self._noted = time.monotonic()
            self.say(text)

    def stop(self) -> None:
        """End a stage."""


class CardWatch:
    """Asks ``nvidia-smi`` once a second how busy the card is; without it nothing is measured."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, tuple[float, ...]]] = []
        self._stages: dict[str, dict[str, Any]] = {}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        words = ["nvidia-smi", f"--query-gpu={_ASKED}", "--format=csv,noheader,nounits", "-l", "1"]
        try:
            self._process = subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        except OSError:
            return self
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                values = tuple(float(word) for word in line.split(","))
            except ValueError:  # "[N/A]"
                continue
            if len(values) == len(_COLUMNS):
                self._samples.append((time.monotonic(), values))

    def note(self, stage: str, begun: float, peak_mb: float | None) -> None:
        """Sum up a stage of training.

        Args:
            stage: Name of the stage.
            begun: Time of ``time.monotonic`` since which samples count.
            peak_mb: Most memory that tensors took; None on a CPU.
        """
        self._stages[stage] = {"peak_mb": peak_mb, "samples": 0}
        values = [sample for at, sample in list(self._samples) if at >= begun]
        if values:
            means = (mean(column) for column in zip(*values, strict=True))
            self._stages[stage] = {
                **dict(zip(_COLUMNS, means, strict=True)),
                "samples": len(values),
            }

    def summary(self) -> dict[str, Any]:
        """Return the means of each stage; says so where ``nvidia-smi`` gave none."""
        if self._samples:
            return self._stages
        return {**self._stages, "note": "busy_percent not measured: nvidia-smi gave no samples"}


def find_compile_fault(device: str) -> str:
    """Return why ``torch.compile`` does not work here, one line; empty where it does."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()).to(device)
    kind = torch.device(device).type
    try:
        with torch.autocast(kind, dtype=torch.bfloat16):
            loss = torch.compile(network)(torch.rand(2, 3, 16, 16, device=device)).sum()
        loss.backward()
    except Exception as error:  # its errors share no class, and any of them means: do without
        return first_line(error)
    return ""


def first_line(error: Exception) -> str:
    """Return an error's first line, or its class where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
