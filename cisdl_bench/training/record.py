"""``training.json``: what decides a run's weights, and whether a folder holds that run."""

from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Annotated, Any, Required, TypedDict

from msgspec import Meta

from cisdl_bench.errors import CisdlError, RunError
from cisdl_bench.store.atomic import write_json
from cisdl_bench.store.torch_view import PairDataset
from cisdl_bench.strict_json import decoded
from cisdl_bench.training.experiments import Experiment
from cisdl_bench.training.feed import Part
from cisdl_bench.training.options import TrainOptions

#: Files of a run's folder, beside the checkpoint.
RECORD, STATE, HISTORY, EVALUATION = (
    "training.json",
    "state.torch",
    "history.csv",
    "evaluation.csv",
)
FORMAT = "cisdl-bench training"
TRAIN_ANEW = "Use --overwrite to train anew, or choose another --out"


class DataEntry(TypedDict):
    """A set that a run learns from, for its model card."""

    set: str
    fingerprint: str
    pairs: int
    pictures: str
    licence: str


class Record(TypedDict, total=False):
    """What ``training.json`` holds, as far as it is read back."""

    format: Required[str]
    complete: Required[bool]
    request: Required[dict[str, Any]]
    step: Annotated[int, Meta(ge=0, le=2**53)]
    data: list["DataEntry"]
    parameters: Annotated[int, Meta(ge=0, le=2**53)]
    checkpoint: Annotated[str, Meta(min_length=1, max_length=200, pattern="^[^/\\0]*$")]


def make_request(
    experiment: Experiment,
    dataset: PairDataset,
    options: TrainOptions,
    identity: str,
    part: Part,
    left_out: int,
) -> dict[str, Any]:
    """Return what decides the weights.

    Args:
        experiment: Experiment that is trained.
        dataset: Pairs to learn from.
        options: Device, precision, seed and so on.
        identity: Hash of the file of initial weights, or how they were drawn.
        part: Division of each batch among processes and pieces.
        left_out: Number of unlabelled pairs that are left out.
    """
    return {
        "experiment": experiment.name,
        "experiment_sha256": experiment.sha256,
        "seed": options.seed,
        "data": [pairs.fingerprint for pairs in dataset.sets],
        **({"unlabelled_left_out": left_out} if left_out else {}),
        "begins_with": identity,
        "precision": options.precision,
        "parts_of_a_batch": part.pieces * part.ranks,
    }


def describe_data(dataset: PairDataset) -> list[dict[str, Any]]:
    """Return of each set its name, fingerprint, size, pictures and their licence."""
    described = []
    for pairs in dataset.sets:
        source = pairs.facts.get("source", {})
        words = (source.get("description"), source.get("version"))
        described.append(
            {
                "set": pairs.name,
                "fingerprint": pairs.fingerprint,
                "pairs": len(pairs),
                "pictures": " ".join(str(word) for word in words if word) or "unnamed pictures",
                "licence": str(source.get("licence") or ""),
            }
        )
    return described


def read_record(path: Path) -> dict[str, Any]:
    """Return what a ``training.json`` holds.

    Raises:
        RunError: It is missing, or no training record.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunError.expected(path, "a training record", error.strerror, TRAIN_ANEW) from error
    record: dict[str, Any] = decoded(data, Record, path, TRAIN_ANEW, RunError)
    if record["format"] != FORMAT:
        raise RunError.expected(path, f"the format {FORMAT!r}", repr(record["format"]), TRAIN_ANEW)
    return record


def open_record(out: Path, name: str, request: dict[str, Any], overwrite: bool) -> dict[str, Any]:
    """Return a folder's record: of this request, begun or there already.

    Args:
        out: Folder of the run.
        name: Name of the checkpoint, without an ending.
        request: Everything that decides the weights.
        overwrite: Remove what another run left, its network too.

    Raises:
        RunError: It holds another run, or its record or state is broken or gone.
    """
    path = out / RECORD
    record: dict[str, Any] = {}
    if path.exists():
        with suppress(CisdlError) if overwrite else nullcontext():
            record = read_record(path)
        if not overwrite:
            return _resume(out, record, request)
    checkpoint = str(record.get("checkpoint", f"{name}.pt"))
    cards = (f"{name}.md", f"{Path(checkpoint).stem}.md")
    old = {f"{name}.pt", checkpoint, *cards, STATE, HISTORY, EVALUATION}
    for file in old:
        (out / file).unlink(missing_ok=True)
    record = {"format": FORMAT, "complete": False, "request": request}
    write_json(path, record)
    return record


def _resume(out: Path, record: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a run of the same request that can be resumed."""
    was = record["request"]
    differing = [key for key in {**was, **request} if was.get(key) != request.get(key)]
    if differing:
        key = differing[0]
        raise RunError.expected(
            out,
            f"the run of this command ({key}: {request.get(key)})",
            f"another one ({key}: {was.get(key)})",
            "Use --overwrite to replace it, or choose another --out",
        )
    if record["complete"] and (out / record.get("checkpoint", ".")).is_file():
        return record
    if record.get("step") and not (out / STATE).is_file():
        raise RunError.expected(
            out / STATE, f"the state of step {record['step']:,}", "no such file", TRAIN_ANEW
        )
    return {**record, "complete": False}
