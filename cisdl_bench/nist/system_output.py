"""A system output of NIST's splice task as predictions: black is manipulated, no name is white."""

from pathlib import Path

from cisdl_bench.adapters.formats import PredictionFormat
from cisdl_bench.adapters.predictions import EMPTY, Prediction, parse_score
from cisdl_bench.adapters.table import Row, read_table
from cisdl_bench.nist.index import KEY

_STATUS = ("ProbeStatus", "DonorStatus")
_OPT_OUT = "IsOptOut"


def read_system_output(path: Path, form: PredictionFormat) -> list[Prediction]:
    """Return the predictions of a system output.

    Raises:
        SourceError: It cannot be read, lacks a column, or a score is not finite.
    """
    columns = form.facts["columns"]
    rows = read_table(path, columns["system"], (*columns["status"], *columns["opt_out"]))
    return [_read_row(path, row) for row in rows]


def _read_row(path: Path, row: Row) -> Prediction:
    key = tuple(row[name] for name in KEY)
    words = [row.get(name, "") for name in _STATUS]
    masks: list[Path | str] = []
    for side, status in zip(("Probe", "Donor"), words, strict=True):
        name = row[f"Output{side}MaskFileName"]
        blank = not name or "FailedValidation" in (status, row.get(_OPT_OUT))
        masks.append(EMPTY if blank else path.parent / name)
    opted = row.get(_OPT_OUT, "N")
    out = opted in ("Y", "Localization")
    return Prediction(
        key,
        parse_score(row["ConfidenceScore"], f"{path}: {' '.join(key)}"),
        (masks[0], masks[1]),
        opted in ("N", "Localization") and words[0] not in ("OptOutAll", "OptOutDetection"),
        (
            not out and words[0] not in ("OptOutAll", "OptOutLocalization"),
            not out and words[1] != "OptOutLocalization",
        ),
    )
