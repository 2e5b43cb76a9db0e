"""Finished results on disk: finding and reading them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cisdl_bench.errors import RunError
from cisdl_bench.metrics.registry import LOCALIZATION
from cisdl_bench.metrics.summary import has_both_labels
from cisdl_bench.records import SIDES
from cisdl_bench.results.describe import describe_result
from cisdl_bench.scoring.record import RESULT, read_result
from cisdl_bench.scoring.rows import ROWS, Rows, read_verified_rows

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Result:
    """One set's finished result.

    Attributes:
        path: Folder of the result.
        record: Content of ``result.json``.
    """

    path: Path
    record: dict[str, Any]

    def __repr__(self) -> str:
        """Return a line: detector, set, number of pairs, headline metrics."""
        return f"<Result {self.detector} on {describe_result(self.record)}>"

    @property
    def summary(self) -> dict[str, Any]:
        """Return its numbers by name, such as ``iou``; NaN is undefined."""
        return dict(self.record["summary"])

    def frame(self) -> "pd.DataFrame":
        """Return its rows as a pandas table, one a pair, with each mask's localization metrics.

        Raises:
            RunError: They are not those that were scored.
        """
        import pandas as pd

        rows = self.rows()
        frame = pd.DataFrame(rows.columns)
        for metric in LOCALIZATION:
            frame[[f"{side}_{metric}" for side in SIDES]] = rows.mask_values(metric)
        return frame

    @property
    def detector(self) -> str:
        """Return the detector's name."""
        return str(self.record["request"]["detector"])

    @property
    def set(self) -> str:
        """Return the set's name, such as ``rotation-easy``."""
        return str(self.record["request"]["set"])

    @property
    def perturbation(self) -> str:
        """Return the perturbation's name; empty where there is none."""
        return str(self.record["request"]["perturbation"])

    @property
    def counting(self) -> str:
        """How pixels were counted, where it is not the usual way: convention, no-score zones."""
        request = self.record["request"]
        zones = ",".join(str(px) for px in request.get("zones", ()))
        convention = str(request.get("convention", ""))
        return ", ".join(filter(None, [convention, zones and f"zones {zones}"]))

    @property
    def finished(self) -> datetime:
        """Return when it was scored, in UTC; of results that do not say so, their file's time."""
        written = self.record.get("finished")
        if written:
            return msgspec.convert(written, datetime)
        return datetime.fromtimestamp((self.path / RESULT).stat().st_mtime, UTC)

    @property
    def notes(self) -> list[str]:
        """Return what is to be known of its data, such as that they are the built-in pictures."""
        return list(self.record["data"]["notes"])

    @property
    def source(self) -> str:
        """Return what its photographs' annotation file says of itself; empty where nothing.

        Such as ``COCO 2014 Dataset, version 1.0, licence: CC BY 4.0``.
        """
        source = self.record["data"].get("source") or {}
        parts = [source.get("description"), source.get("version"), source.get("licence")]
        forms = ["{}", "version {}", "licence: {}"]
        return ", ".join(
            form.format(" ".join(str(part).split()))
            for form, part in zip(forms, parts, strict=True)
            if part not in (None, "")
        )

    @property
    def has_both_labels(self) -> bool:
        """Return whether its set has positive and negative pairs, so that detection is measured."""
        return has_both_labels(self.record["summary"])

    def rows(self) -> Rows:
        """Return its rows, one a pair.

        Raises:
            RunError: They are not those that were scored.
        """
        rows = _read_rows(self.path / ROWS, str(self.record["rows_sha256"]))
        summary = self.record["summary"]
        counts = {"pairs": len(rows)}
        for name, label in (("positive_pairs", 1), ("negative_pairs", 0)):
            counts[name] = int((rows["label"] == label).sum())
        for name, n in counts.items():
            if n != summary[name]:
                raise RunError.expected(
                    self.path / ROWS,
                    f"{summary[name]:,} {name.replace('_', ' ')}, as {RESULT} says",
                    f"{n:,}",
                    "Score it again with --overwrite",
                )
        return rows


#: A report asks for the same rows in every table and figure.
_read_rows = lru_cache(maxsize=512)(read_verified_rows)


def find_results(run: Path, broken: list[str] | None = None) -> list[Result]:
    """Return the finished results of a run's folder, or of one set's, by name.

    Args:
        run: Folder of a run, or of one set's result.
        broken: Takes what is wrong with results that cannot be read, which are left out then; None
            refuses them.

    Raises:
        RunError: There is none, or one cannot be read.
    """
    paths = [run / RESULT] if (run / RESULT).exists() else sorted(run.glob(f"[!.]*/{RESULT}"))
    results = []
    for path in paths:
        try:
            results.append(Result(path.parent, read_result(path)))
        except RunError as error:
            if broken is None:
                raise
            broken.append(str(error))
    done = [result for result in results if result.record.get("complete")]
    if not done:
        raise RunError.expected(
            run,
            "results of `cisdl-bench score`",
            f"{len(results)} unfinished" if results else "none",
            "Run its `score` command, again where it was cut off",
        )
    return done
