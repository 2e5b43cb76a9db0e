"""``history.csv`` and ``evaluation.csv``: how a training run went, a line at a time."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from cisdl_bench.devices import Rank
from cisdl_bench.errors import RunError
from cisdl_bench.metrics.registry import headline_metrics
from cisdl_bench.progress import Progress
from cisdl_bench.store.atomic import write_whole
from cisdl_bench.store.torch_view import PairDataset
from cisdl_bench.training.checkpoint import Run, TrainingError
from cisdl_bench.training.loss_terms import history_columns
from cisdl_bench.training.record import EVALUATION, HISTORY


class Log:
    """A CSV file that grows; after an interruption it is cut back to the state's step.

    Args:
        path: File of the log.
        columns: Names of the columns, ``step`` among them.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, tuple(columns)

    def cut(self, step: int) -> None:
        """Begin, or keep the whole lines up to a step alone."""
        lines = [",".join(self.columns) + "\n"]
        if self.path.exists() and step:
            header, *text = self.path.read_text("utf-8", "replace").splitlines(keepends=True) or [
                ""
            ]
            columns = header.strip().split(",")
            at = columns.index("step") if "step" in columns else 0
            complete = [line for line in text if line.endswith("\n")]
            kept = [line for line in complete if 0 <= self._step(line, at) <= step]
            lines += kept if header == lines[0] else self._rearrange(kept, columns)
        write_whole(self.path, "".join(lines).encode())

    def _rearrange(self, lines: list[str], columns: list[str]) -> list[str]:
        """Return lines of another version's columns in ours; what it did not have is empty."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, "", "ignore", lineterminator="\n")
        writer.writerows(csv.DictReader(lines, columns))
        return text.getvalue().splitlines(keepends=True)

    @staticmethod
    def _step(line: str, at: int) -> int:
        """Return a line's step; -1 where the line has none, such as in a file that was edited."""
        cells = line.strip().split(",")
        return (
            int(cells[at])
            if at < len(cells) and cells[at].isascii() and cells[at].isdigit()
            else -1
        )

    def has(self, step: int) -> bool:
        """Return whether there is a line of a step."""
        text = self.path.read_text("utf-8", "replace") if self.path.exists() else ""
        return any(
            self._step(line, self.columns.index("step")) == step for line in text.splitlines()
        )

    def add(self, *rows: Mapping[str, Any]) -> None:
        """Append lines, all of them or none."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, "", "ignore", lineterminator="\n")
        writer.writerows(rows)
        with self.path.open("a") as file:
            file.write(text.getvalue())


def read_log(
    path: Path, numbers: Sequence[str] = (), optional: Sequence[str] = ()
) -> list[dict[str, str]]:
    """Return the lines of a log by column.

    Args:
        path: File of the log.
        numbers: Names of columns that must hold numbers, NaN included.
        optional: Names of columns that must do so where the log has them.

    Raises:
        RunError: There is none, or it is no table of these columns.
    """
    then = "Give the folder that it wrote"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
    except OSError as error:
        raise RunError.expected(
            path, "a log of `cisdl-bench train`", error.strerror, then
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise RunError.expected(path, "a log of `cisdl-bench train`", f"'{error}'", then) from error
    numbers = [*numbers, *(name for name in optional if lines and name in lines[0])]
    for place, line in enumerate(lines, start=2):
        for name in numbers:
            if not _is_number(line.get(name)):
                where = f"{path}: line {place}: {name}"
                raise RunError.expected(where, "a number", repr(line.get(name)), then)
    return lines


def _is_number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True


def open_log(run: Run, name: str) -> Log:
    """Return one of a run's two logs by its file's name."""
    columns = {
        HISTORY: ("step", "epoch", "pairs", "seconds", "pairs_per_second", *history_columns()),
        EVALUATION: ("step", "pairs", "set", *headline_metrics()),
    }
    return Log(run.out / name, columns[name])


def write_history(run: Run, dataset: PairDataset, progress: Progress, rank: Rank) -> None:
    """Write the mean losses of the last steps.

    Raises:
        TrainingError: One is NaN or infinite; its step and pairs are named.
    """
    losses = _read_losses(run, dataset)
    steps = len(run.recent)
    mean = {name: sum(values) / steps for name, values in losses.items()}
    if rank.total > 1:
        mean = _over_ranks(mean, rank)
    spent, batch = run.spent(), run.experiment.batch
    rate = steps * batch / max(spent - run.logged, 1e-9)
    run.logged = spent
    per_epoch = run.steps / run.experiment.epochs
    if rank.number == 0:
        open_log(run, HISTORY).add(
            {
                "step": run.step,
                "epoch": f"{run.step / per_epoch:.4f}",
                "pairs": run.step * batch,
                "seconds": f"{spent:.2f}",
                "pairs_per_second": f"{rate:.2f}",
                **mean,
            }
        )
        scalars = {f"train/{name}": value for name, value in mean.items()}
        for logger in run.loggers:
            logger.add_scalars({**scalars, "train/pairs_per_second": rate}, run.step)
    progress.note(" ".join(f"{name} {value:.4f}" for name, value in mean.items()))
    run.recent.clear()


def _read_losses(run: Run, dataset: PairDataset) -> dict[str, list[float]]:
    """Return the losses of each of the last steps by name; waits for the device."""
    names = [name for name in history_columns() if name in run.recent[0][1]]
    table = torch.stack([torch.stack([step[name] for name in names]) for _, step in run.recent])
    rows = table.double().cpu().tolist()
    first = run.step - len(run.recent) + 1
    for number, (places, _) in enumerate(run.recent):
        for name, value in zip(names, rows[number], strict=True):
            if not math.isfinite(value):
                loss = "Loss" if name == "loss" else f"Loss {name}"
                shown = "NaN" if math.isnan(value) else "infinite"
                raise TrainingError(
                    f"{run.out}: {loss} is {shown} at step {first + number:,} "
                    f"({_name_pairs(dataset, places)}). {run.advice}"
                )
    return {name: [row[k] for row in rows] for k, name in enumerate(names)}


def _over_ranks(mean: dict[str, float], rank: Rank) -> dict[str, float]:
    import torch.distributed

    values = torch.tensor(list(mean.values()), dtype=torch.float64)
    torch.distributed.all_reduce(values)
    return dict(zip(mean, (values / rank.total).tolist(), strict=True))


def _name_pairs(dataset: PairDataset, places: Sequence[int]) -> str:
    """Return pairs as a person can find them again: set and number."""
    located = (dataset.locate(place) for place in places)
    return "pairs " + ", ".join(f"{pairs.name}/{index}" for pairs, index in located)
