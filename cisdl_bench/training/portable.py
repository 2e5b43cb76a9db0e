"""A run's folder in half a float32 checkpoint's size, to be resumed on another machine.

Kept as they are: numbers of one dimension, counters, the record and both logs. Weights of two and
more dimensions are rounded to float16. Of the optimizer, second moments (of Adadelta and Adam) keep
the means of their rows and columns, from whose product they are made again (Shazeer and Stern,
ICML 2018), and Adam's first moments begin again at 0. So a run that is resumed from it is not the
same bit for bit; ``state.torch`` is for that.
"""

import io
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor

from cisdl_bench.errors import CisdlError, ModelError
from cisdl_bench.models.checkpoints.checkpoint import load_tensors, round_to_half
from cisdl_bench.store.atomic import write_whole
from cisdl_bench.strict_json import conforming, decoded
from cisdl_bench.training.record import EVALUATION, HISTORY, RECORD, STATE, Record, read_record

_FORMAT = "cisdl-bench portable run"
_SECOND_MOMENTS = ("square_avg", "acc_delta", "exp_avg_sq")
_FIRST_MOMENTS = ("exp_avg",)
_ANEW = "Give the file that the run left"


class Portable(TypedDict):
    """What a portable run's file holds beside its tensors."""

    format: str
    texts: dict[str, str]
    state: dict[str, Any]


def pack_run(folder: Path) -> bytes:
    """Return a run's folder as one torch file of tensors and plain values.

    Args:
        folder: Folder of the run, with its record, state and logs.

    Raises:
        CisdlError: It has no state, or a weight is too large for float16.
    """
    read_record(folder / RECORD)
    state = load_tensors(folder / STATE)
    for name, tensors in state["networks"].items():
        state["networks"][name] = round_to_half(tensors, folder / STATE)
    for optimizer in state["optimizers"].values():
        for moments in optimizer["state"].values():
            moments.update({key: _shrink(key, value) for key, value in moments.items()})
    texts = {name: _read_text(folder / name) for name in (RECORD, HISTORY, EVALUATION)}
    buffer = io.BytesIO()
    torch.save({"format": _FORMAT, "texts": texts, "state": state}, buffer)
    return buffer.getvalue()


def unpack_run(data: bytes, folder: Path) -> dict[str, Any]:
    """Write a run's folder from ``pack_run``'s file, so that it can be resumed; return its record.

    Args:
        data: Content of the file.
        folder: Folder of the run; its record, state and logs are replaced.

    Raises:
        CisdlError: The file is broken or holds something else, or the folder cannot be written.
    """
    file = folder / "portable.torch"
    write_whole(file, data)
    try:
        content: Portable = conforming(load_tensors(file), Portable, file, _ANEW, ModelError)
        texts = content["texts"]
        if content["format"] != _FORMAT or set(texts) != {RECORD, HISTORY, EVALUATION}:
            raise ModelError.expected(file, f"the format {_FORMAT!r}", content["format"], _ANEW)
        record: dict[str, Any] = decoded(texts[RECORD].encode(), Record, file, _ANEW, ModelError)
        buffer = io.BytesIO()
        torch.save(_grow_state(content["state"], file), buffer)
    finally:
        file.unlink(missing_ok=True)
    (folder / RECORD).unlink(missing_ok=True)  # a kill from here on leaves no record of another
    with buffer.getbuffer() as state:
        write_whole(folder / STATE, state)
    for name in (HISTORY, EVALUATION, RECORD):
        write_whole(folder / name, texts[name].encode())
    return record


def _read_text(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _shrink(key: str, value: Any) -> Any:
    """Return what is kept of one of an optimizer's numbers."""
    if not isinstance(value, Tensor) or value.dim() < 2:
        return value
    if key in _FIRST_MOMENTS:
        return {"zeros": list(value.shape)}
    if key in _SECOND_MOMENTS:
        flat = value.flatten(1)
        return {"rows": flat.mean(1), "columns": flat.mean(0), "shape": list(value.shape)}
    return value


def _grow_state(state: dict[str, Any], where: Path) -> dict[str, Any]:
    """Return a state as ``restore`` takes it, in float32."""
    try:
        for tensors in state["networks"].values():
            tensors.update({key: _widen(value) for key, value in tensors.items()})
        for optimizer in state["optimizers"].values():
            for moments in optimizer["state"].values():
                moments.update({key: _grow(value) for key, value in moments.items()})
    except CisdlError:
        raise
    except Exception as error:  # content that is of other types
        message = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError.expected(where, "the state of a run", f"'{message}'", _ANEW) from error
    return state


def _widen(value: Tensor) -> Tensor:
    return value.float() if value.dtype == torch.float16 else value


def _grow(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "zeros" in value:
        return torch.zeros(value["zeros"])
    rows, columns = value["rows"].float(), value["columns"].float()
    mean = rows.mean().clamp_min(torch.finfo(torch.float32).tiny)
    return torch.outer(rows / mean, columns).reshape(value["shape"])
