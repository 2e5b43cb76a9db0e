"""Where a training run is told beside its CSV files: ``train --log-to NAME``.

``history.csv`` and ``evaluation.csv`` stay the truth; a logger shows the same numbers elsewhere.
One entry in ``LOGGERS`` and one function add another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cisdl_bench.errors import RunError

if TYPE_CHECKING:
    from cisdl_bench.records import Pixels


class Logger(Protocol):
    """Receives a run's numbers and pictures."""

    def add_scalars(self, scalars: Mapping[str, float], step: int) -> None:
        """Take numbers by name, such as ``train/loss`` or ``combination-easy/iou``.

        Args:
            scalars: Numbers by name; NaN where one is undefined.
            step: Step that they were measured after.
        """
        ...

    def add_picture(self, name: str, picture: Pixels, step: int) -> None:
        """Take a picture, uint8 RGB, (H, W, 3).

        Args:
            name: Name of the picture.
            picture: Its pixels.
            step: Step that it was made after.
        """
        ...

    def close(self) -> None:
        """Write out what is still held."""
        ...


def open_tensorboard(folder: Path, step: int) -> Logger:
    """Return a logger for TensorBoard; its event files lie in ``tensorboard`` in the run's folder.

    Args:
        folder: Folder of the run.
        step: Step that the run resumes after; what was told of later ones is hidden.

    Raises:
        RunError: The package is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise RunError(
            "--log-to tensorboard: the package tensorboard is not installed. Run pip install "
            "'cisdl-bench[tensorboard]'."
        ) from error

    class TensorBoard:
        def __init__(self) -> None:
            self.writer = SummaryWriter(folder / "tensorboard", purge_step=step + 1)

        def add_scalars(self, scalars: Mapping[str, float], step: int) -> None:
            for name, value in scalars.items():
                self.writer.add_scalar(name, value, step)

        def add_picture(self, name: str, picture: Pixels, step: int) -> None:
            self.writer.add_image(name, picture, step, dataformats="HWC")
            self.writer.flush()

        def close(self) -> None:
            self.writer.close()

    return TensorBoard()


#: Loggers by the word after ``--log-to``; each is opened with the run's folder and its step.
LOGGERS: dict[str, Callable[[Path, int], Logger]] = {
    "tensorboard": open_tensorboard,
}


def open_loggers(names: Sequence[str], folder: Path, step: int) -> list[Logger]:
    """Return the loggers of these names, each once.

    Args:
        names: Names out of ``LOGGERS``.
        folder: Folder of the run.
        step: Step that the run resumes after.

    Raises:
        RunError: There is no such logger, or its package is not installed.
    """
    for name in names:
        if name not in LOGGERS:
            known = ", ".join(LOGGERS)
            raise RunError.expected("--log-to", f"one of {known}", repr(name), "Correct it")
    return [LOGGERS[name](folder, step) for name in dict.fromkeys(names)]
