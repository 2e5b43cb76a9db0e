"""A result's folder: made ready, refused where it holds something else, and finished."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cisdl_bench import __version__
from cisdl_bench.devices import Rank, device_name
from cisdl_bench.errors import RunError
from cisdl_bench.hashing import hash_file
from cisdl_bench.metrics.pooled import summarise_pooled
from cisdl_bench.metrics.summary import summarise
from cisdl_bench.pairs import Pairs
from cisdl_bench.scoring.conventions import CONVENTIONS
from cisdl_bench.scoring.options import OPTIONAL, ScoreOptions
from cisdl_bench.scoring.record import FORMAT, RESULT, read_result
from cisdl_bench.scoring.row_lines import gather_lines, write_rows
from cisdl_bench.scoring.rows import ROWS, read_rows
from cisdl_bench.store.atomic import write_csv, write_json

LEFT_OUT = "left-out.csv"
#: Files that scoring writes into a result's folder, beside those of a data set's own scorer.
_WRITTEN = (ROWS, RESULT, LEFT_OUT, "masks")


@dataclass(frozen=True)
class ResultFolder:
    """Where a job's result goes.

    A finished result that is scored again stays until the new one, which grows in a hidden folder
    beside it, is complete.

    Attributes:
        final: Folder that a user sees.
    """

    final: Path

    @property
    def _new(self) -> Path:
        return self.final.parent / f".{self.final.name}.new"

    @property
    def _old(self) -> Path:
        return self.final.parent / f".{self.final.name}.old"

    @property
    def current(self) -> Path:
        """Folder that is written to: the new one while there is one."""
        return self._new if self._new.exists() else self.final

    def begin(self, request: Mapping[str, Any], overwrite: bool) -> None:
        """Make the folder ready for a request.

        Args:
            request: Everything that decides the rows.
            overwrite: Score again what is finished, and replace results of another request.

        Raises:
            RunError: It holds results of another request.
        """
        if self._old.exists() and not self.final.exists():
            self._old.rename(self.final)  # a run ended between the two renames of `replace`
        shutil.rmtree(self._old, ignore_errors=True)
        path = self.final / RESULT
        if not (overwrite and path.exists()):
            shutil.rmtree(self._new, ignore_errors=True)
        if not path.exists():
            _clear(self.final, request)
            return
        previous, complete = {}, False
        with suppress(RunError) if overwrite else nullcontext():
            record = read_result(path)
            previous, complete = record["request"], record["complete"]
        if not complete:
            shutil.rmtree(self._new, ignore_errors=True)
        keys = dict.fromkeys((*request, *OPTIONAL))
        differing = [key for key in keys if previous.get(key) != request.get(key)]
        if not differing and not (overwrite and complete):
            return
        if differing and not overwrite:
            key = differing[0]
            raise RunError.expected(
                self.final,
                f"results of this command ({key}: {request.get(key)})",
                f"others ({key}: {previous.get(key)})",
                "Use --overwrite to replace them, or choose another --out",
            )
        if not complete:
            _clear(self.final, request)
            return
        with suppress(RunError):
            if read_result(self._new / RESULT)["request"] == request:
                return
        shutil.rmtree(self._new, ignore_errors=True)
        _clear(self._new, request)

    def replace(self, own_files: Sequence[str] = ()) -> None:
        """Give a new result the folder of the old one; what a user put beside that stays.

        Args:
            own_files: Names of files of the data set's own scorer, which belong to the old result.
        """
        if self.current == self.final:
            return
        self.final.rename(self._old)
        self._new.rename(self.final)
        for path in self._old.iterdir():
            if path.name not in (*_WRITTEN, *own_files) and not path.name.startswith("partial-"):
                path.rename(self.final / path.name)
        shutil.rmtree(self._old)


def _clear(folder: Path, request: Mapping[str, Any]) -> None:
    """Remove rows and masks of another request, and write down this one."""
    old_files = (*folder.glob("partial-*.csv"), *folder.glob("masks/*.png"))
    for path in (*old_files, folder / ROWS, folder / LEFT_OUT):
        path.unlink(missing_ok=True)
    write_json(folder / RESULT, {"format": FORMAT, "complete": False, "request": dict(request)})


def finish(
    folder: Path,
    record: Mapping[str, Any],
    pairs: Pairs,
    about: Mapping[str, Any],
    options: ScoreOptions,
    rank: Rank,
    pairs_per_second: float | None,
) -> None:
    """Write the rows in order and the finished result.

    Args:
        folder: Folder that holds the partial rows.
        record: Unfinished result.
        pairs: Set or list of pairs.
        about: Architecture and training record of the detector.
        options: Device, precision, threshold and so on.
        rank: This process among several.
        pairs_per_second: Speed of this run; None where nothing was scored.
    """
    write_rows(pairs, folder / ROWS, gather_lines(pairs, folder))
    if pairs.left_out:
        reasons = sorted(pairs.left_out.items())
        lines = [{"index": index, "reason": reason} for index, reason in reasons]
        write_csv(folder / LEFT_OUT, lines)
    facts = pairs.facts
    scored = read_rows(folder / ROWS).scored_pairs()
    summary = summarise(scored)
    if options.convention:
        summary |= summarise_pooled(scored)
        facts = {**facts, "notes": [*facts["notes"], CONVENTIONS[options.convention].note]}
    elif facts.get("format") in CONVENTIONS:
        note = f"{pairs.name}: its authors count otherwise: --convention {facts['format']}"
        facts = {**facts, "notes": [*facts["notes"], note]}
    if summary["masks_empty"]:
        note = f"{summary['masks_empty']:,} true masks of positive pairs hold no tampered pixel"
        facts = {**facts, "notes": [*facts["notes"], f"{pairs.name}: {note}"]}
    finished = {
        **record,
        "complete": True,
        "rows_sha256": hash_file(folder / ROWS),
        "summary": summary,
        "about": dict(about),
        "data": facts,
        "origin": pairs.origin,
        "settings": asdict(options),
        "device": device_name(options.device),
        "processes": rank.total,
        "pairs_per_second": pairs_per_second,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "cisdl-bench": __version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
    }
    write_json(folder / RESULT, finished)
    for partial in folder.glob("partial-*.csv"):
        partial.unlink()
