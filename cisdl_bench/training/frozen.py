"""Frozen features: what a network's head learns from is computed once a pair and kept on disk."""

import hashlib
import io
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, Required, TypedDict

import numpy as np
import torch
from msgspec import Meta
from torch import nn

from cisdl_bench.errors import CisdlError, RunError
from cisdl_bench.hashing import hash_file
from cisdl_bench.pairs import Pairs
from cisdl_bench.progress import Progress
from cisdl_bench.store.atomic import locked, read_json, write_json, write_whole
from cisdl_bench.store.torch_view import Batch, PairDataset
from cisdl_bench.training.describer import Describer
from cisdl_bench.training.options import TrainOptions

#: Pairs of one file, and pairs that are computed at a time.
PART, AT_ONCE = 480, 8
_RECORD = "maps.json"
_FORMAT = "cisdl-bench maps"
_AGAIN = "Remove the folder: the maps are computed again"


class _Part(TypedDict):
    """One file of maps, as the record says it."""

    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    pairs: Annotated[int, Meta(ge=1, le=PART)]


class _Record(TypedDict):
    """What ``maps.json`` holds."""

    format: Required[str]
    request: Required[dict[str, Any]]
    parts: Required[list[_Part]]


class FrozenDataset(PairDataset):
    """Pairs with what a head learns from instead of their pictures.

    A batch has ``maps``, float16, (B, 2, C, h, w), of probes and donors, and all that
    ``PairDataset`` gives but ``probe`` and ``donor``.

    Args:
        dataset: The pairs.
        parts: Files of their maps, in order.
    """

    def __init__(self, dataset: PairDataset, parts: Sequence[Path]) -> None:
        super().__init__(dataset.sets)
        self._paths = tuple(parts)
        self._parts = [np.load(path, mmap_mode="r") for path in parts]
        self._starts = [0, *accumulate(len(part) for part in self._parts)]

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDataset, (PairDataset(self.sets), self._paths)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return a batch of pairs."""
        batch = super().__getitems__(indices)
        del batch["probe"], batch["donor"]
        maps = []
        for index in indices:
            number = bisect_right(self._starts, index) - 1
            maps.append(self._parts[number][index - self._starts[number]])
        batch["maps"] = torch.from_numpy(np.stack(maps))
        return batch


def freeze(
    network: nn.Module,
    dataset: PairDataset,
    folder: Path,
    options: TrainOptions,
    progress: Progress,
    received: Callable[[], bool] = lambda: False,
) -> FrozenDataset | None:
    """Return the pairs with their maps, computed now as far as the folder lacks them.

    What decides the maps of a set names a folder below ``folder``: another head, another seed or
    another choice of sets finds them there, and several processes may compute a set each.

    Args:
        network: Network in evaluation mode on its device.
        dataset: Pairs to learn from.
        folder: Folder of the maps of all runs.
        options: Device, precision and minutes.
        progress: Receives progress updates and messages.
        received: Whether the run was asked to stop, asked before each batch.

    Returns:
        None where the run was asked to stop or its minutes are over: what is done is kept.

    Raises:
        RunError: A file of maps is broken, or a map is beyond half precision.
        StoreError: The disk is full, or another run computes the same maps.
    """
    begun, parts = time.perf_counter(), []

    def late() -> bool:
        minutes = (time.perf_counter() - begun) / 60
        return options.max_minutes is not None and minutes > options.max_minutes

    describer = Describer(network, options)
    for pairs in dataset.sets:
        request = _make_request(network, pairs, options)
        key = hashlib.sha256(repr(sorted(request.items())).encode()).hexdigest()
        place = folder / f"{pairs.name}-{key[:16]}"
        with locked(place):
            maps = _Maps(describer, PairDataset([pairs]), place, request, progress)
            if not maps.complete(received, late):
                return None
            parts += maps.paths
    return FrozenDataset(dataset, parts)


class _Maps:
    """The maps of one set, in a folder that is held.

    Args:
        describer: Compares pictures.
        dataset: The set.
        place: Folder of the maps.
        request: What decides them.
        progress: Receives progress updates and messages.

    Raises:
        RunError: The record or a file of maps is broken.
    """

    def __init__(
        self,
        describer: Describer,
        dataset: PairDataset,
        place: Path,
        request: dict[str, Any],
        progress: Progress,
    ) -> None:
        self._describer, self._dataset, self._place = describer, dataset, place
        self._progress = progress
        self._record = _read_record(place, request)

    @property
    def paths(self) -> list[Path]:
        """Files of the maps that are there, in order."""
        return [_name_part(self._place, k) for k in range(len(self._record["parts"]))]

    def complete(self, received: Callable[[], bool], late: Callable[[], bool]) -> bool:
        """Compute the maps that are missing; return whether all are there.

        Raises:
            RunError: There are more than pairs, or a map is beyond half precision.
        """
        total, done = len(self._dataset), sum(part["pairs"] for part in self._record["parts"])
        if done == total:
            return True
        if done > total:
            where = self._place / _RECORD
            raise RunError.expected(where, f"maps of {total:,} pairs", f"{done:,}", _AGAIN)
        self._progress.start("pairs", total, done, f"maps of {self._dataset.sets[0].name}")
        try:
            while done < total:
                stop = min(done + PART, total)
                maps = self._compute(range(done, stop), received)
                if maps is None:
                    return False
                part = _write_part(self._place, len(self._record["parts"]), maps)
                self._record["parts"].append(part)
                write_json(self._place / _RECORD, self._record)
                if not done:
                    gigabytes = maps.nbytes / len(maps) * total / 1e9
                    self._progress.say(f"{self._place}: {gigabytes:.2f} GB in all, for all runs")
                done = stop
                if done < total and late():
                    return False
        finally:
            self._progress.stop()
        return True

    def _compute(self, numbers: range, received: Callable[[], bool]) -> Any:
        """Return the maps of some pairs, float16; None where the run was asked to stop.

        Raises:
            RunError: A map is beyond half precision.
        """
        parts = []
        for start in range(numbers.start, numbers.stop, AT_ONCE):
            if received():
                return None
            some = range(start, min(start + AT_ONCE, numbers.stop))
            batch = self._dataset.__getitems__(some)
            half = self._describer.compare(batch["probe"], batch["donor"]).half().cpu().numpy()
            bad = ~np.isfinite(half).all(axis=(1, 2, 3, 4))
            if bad.any():
                pairs, index = self._dataset.locate(some[int(bad.argmax())])
                raise RunError.expected(
                    f"{pairs.name}/{index}",
                    "maps that half precision can hold, up to 65,504",
                    "larger ones",
                    "Train without `freeze`, or a network of unit length such as dmac-unit",
                )
            parts.append(half)
            self._progress.advance(len(some))
        return np.concatenate(parts)


def _make_request(network: Any, pairs: Pairs, options: TrainOptions) -> dict[str, Any]:
    """Return what decides the maps."""
    digest = hashlib.sha256()
    for name, value in network.features.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return {
        "network": str(network.architecture),
        "configuration": str(getattr(network, "configuration", {})),
        "version": network.maps_version,
        "features": digest.hexdigest(),
        "data": pairs.fingerprint,
        "pairs": len(pairs),
        "precision": options.precision,
    }


def _name_part(place: Path, number: int) -> Path:
    return place / f"maps-{number:05d}.npy"


def _write_part(place: Path, number: int, maps: Any) -> _Part:
    buffer = io.BytesIO()
    np.save(buffer, maps)
    with buffer.getbuffer() as content:
        write_whole(_name_part(place, number), content)
        return {"sha256": hashlib.sha256(content).hexdigest(), "pairs": len(maps)}


def _read_record(place: Path, request: dict[str, Any]) -> Any:
    """Return the record of the maps that are there, each file as it was written.

    Raises:
        RunError: The record or a file of maps is broken.
    """
    path = place / _RECORD
    if not path.exists():
        return {"format": _FORMAT, "request": request, "parts": []}
    try:
        record = read_json(path, "the record of maps", _Record, _AGAIN)
    except CisdlError as error:
        raise RunError(str(error)) from error
    if record["format"] != _FORMAT or record["request"] != request:
        raise RunError.expected(path, "the maps of this run", "other ones", _AGAIN)
    for number, part in enumerate(record["parts"]):
        file, sha256 = _name_part(place, number), "no such file"
        with suppress(OSError):
            sha256 = hash_file(file)
        if sha256 != part["sha256"]:
            raise RunError.expected(file, f"SHA-256 {part['sha256']}", sha256, _AGAIN)
        if len(np.load(file, mmap_mode="r")) != part["pairs"]:
            raise RunError.expected(path, f"the number of pairs in {file}", part["pairs"], _AGAIN)
    return record
