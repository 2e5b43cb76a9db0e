"""One or several sets as a torch ``Dataset`` that fetches whole batches at once."""

import queue
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.data._utils.collate import default_collate_fn_map

from cisdl_bench.engine import reader_of_this_process
from cisdl_bench.errors import StoreError
from cisdl_bench.pairs import Pairs
from cisdl_bench.records import KINDS
from cisdl_bench.store.opening import open_pairs

Batch = dict[str, Tensor]
T = TypeVar("T")
_AHEAD = 3  # batches


class PairDataset(Dataset[Batch]):
    """Pairs of sets, one after the other, as uint8 tensors.

    A batch of B pairs is one dictionary, gathered in one go where it is fetched:

    - ``probe``, ``donor``: uint8, (B, 3, S, S), RGB, channels-last in memory (float32, 0 to
      255, where a list of pairs asks for unrounded pictures);
    - ``probe_mask``, ``donor_mask``: uint8 0 or 1, (B, S, S);
    - ``known``: bool, (B, 2), whether the masks of probe and donor are the truth; an unknown
      mask is all 0 here and must not be learnt;
    - ``label``: int64, (B,), -1 where it is not known; ``kind``: int64, (B,), an index into
      ``records.KINDS``, -1 for a listed pair that is not negative;
    - ``index``: int64, (B,), the pair's place in this dataset.

    It pickles as its paths and holds no picture between batches, so it is safe with workers
    under fork and spawn and its memory stays flat. ``pair_loader`` makes a ``DataLoader`` of it;
    one of your own works with torch's collate or with the one here.

    Args:
        sets: Sets of one canvas size, or one: folders, their names in the folder of data, or pairs.

    Raises:
        StoreError: A folder is no finished set, or the sizes differ.
    """

    def __init__(self, sets: str | Path | Pairs | Sequence[str | Path | Pairs]) -> None:
        if isinstance(sets, (str, Path, Pairs)):
            sets = [sets]
        self.sets: list[Pairs] = [
            open_pairs(pairs) if isinstance(pairs, (str, Path)) else pairs for pairs in sets
        ]
        if not self.sets:
            raise StoreError.expected("PairDataset", "at least one set", "none", "Name a set")
        self.size, self.dtype = self.sets[0].size, self.sets[0].dtype
        for pairs in self.sets:
            if pairs.size != self.size:
                raise StoreError.expected(
                    pairs.name, f"pairs of {self.size} px", f"{pairs.size} px", "Load them apart"
                )
        self._ends = np.cumsum([len(pairs) for pairs in self.sets]).tolist()
        default_collate_fn_map[_Whole] = _as_it_is

    def __reduce__(self) -> tuple[Any, ...]:
        return PairDataset, (self.sets,)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Batch:
        """Return one pair without the batch dimension."""
        return {name: value[0] for name, value in self.__getitems__([index]).items()}

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return a batch of pairs."""
        n, size = len(indices), self.size
        # In a worker, straight into the memory that the main process will read.
        shared = torch.utils.data.get_worker_info() is not None
        kind = torch.uint8 if self.dtype == np.uint8 else torch.float32
        probe, donor = (_empty((n, size, size, 3), kind, shared) for _ in range(2))
        probe_mask, donor_mask = (_empty((n, size, size), torch.uint8, shared) for _ in range(2))
        labels, kinds, known = [], [], []
        arrays = [tensor.numpy() for tensor in (probe, donor, probe_mask, donor_mask)]
        for k, index in enumerate(indices):
            pairs, within = self.locate(index)
            labels.append(pairs.read_into(within, *(array[k] for array in arrays)))
            name = pairs.kind(within)
            kinds.append(KINDS.index(name) if name in KINDS else -1)
            known.append(pairs.known(within))
        return _Fetched(
            probe=probe.permute(0, 3, 1, 2),
            donor=donor.permute(0, 3, 1, 2),
            probe_mask=probe_mask,
            donor_mask=donor_mask,
            known=torch.tensor(known, dtype=torch.bool).reshape(n, 2),
            label=torch.tensor(labels, dtype=torch.int64),
            kind=torch.tensor(kinds, dtype=torch.int64),
            index=torch.tensor(list(indices), dtype=torch.int64),
        )

    def locate(self, place: int) -> tuple[Pairs, int]:
        """Return the set that holds a pair, and the pair's number there."""
        at = range(len(self))[place]
        number = bisect_right(self._ends, at)
        pairs = self.sets[number]
        return pairs, pairs.indices[at - (self._ends[number - 1] if number else 0)]


class _Whole:
    """What torch's collate finds first in a batch: by its type the batch is passed on."""


class _Fetched(dict[str, Tensor]):
    """A batch that is whole already, for torch's collate too."""

    def __missing__(self, key: object) -> Any:
        if key == 0:
            return _Whole()
        raise KeyError(key)


def _as_it_is(batch: Batch, **_: Any) -> Batch:
    return dict(batch)


def _empty(shape: tuple[int, ...], kind: torch.dtype, shared: bool) -> Tensor:
    tensor = torch.empty(shape, dtype=kind)
    if shared:
        tensor.untyped_storage().share_memory_()
    return tensor


def collate(batch: Any) -> Any:
    """Return a batch as it is: ``PairDataset`` fetches whole ones."""
    return batch


def pair_loader(
    dataset: PairDataset, batch_size: int = 24, *, shuffle: bool = False, **settings: Any
) -> DataLoader[Batch]:
    """Return a ``DataLoader`` of whole batches; further settings are torch's own."""
    settings.setdefault("worker_init_fn", reader_of_this_process())
    return DataLoader(
        dataset, batch_size=batch_size, shuffle=shuffle, collate_fn=collate, **settings
    )


def read_ahead(loader: DataLoader[Batch], prepare: Callable[[Batch], T]) -> Iterator[T]:
    """Yield what a loader yields, read and prepared by a thread of its own.

    Args:
        loader: Batches in order.
        prepare: Function that the thread calls with each batch, in order.
    """
    ready: queue.Queue[T | BaseException | None] = queue.Queue(_AHEAD)
    stopped = threading.Event()

    def offer(item: T | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def read() -> None:
        try:
            for batch in loader:
                offer(prepare(batch))
                if stopped.is_set():
                    return
            offer(None)
        except BaseException as error:  # handed to the main thread, which raises it
            offer(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
