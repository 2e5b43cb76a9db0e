"""The pairs that training can learn from, by their kind."""

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import RunError
from cisdl_bench.pairs import Pairs
from cisdl_bench.records import UNLABELLED
from cisdl_bench.store.torch_view import PairDataset

SIDES = ("probe", "donor")
Kinds = list[npt.NDArray[np.int64]]


def find_kinds(dataset: PairDataset, *, skip_unlabelled: bool = False) -> Kinds:
    """Return the places of the pairs of each kind that a data set has.

    Args:
        dataset: One or several sets of pairs.
        skip_unlabelled: Leave out pairs without a label or a true mask.
    """
    places: dict[str, list[npt.NDArray[np.int64]]] = {}
    start = 0
    for pairs in dataset.sets:
        usable = np.array(
            [not (skip_unlabelled and describe_missing(pairs, n)) for n in pairs.indices]
        )
        kinds = np.array([pairs.kind(index) for index in pairs.indices])
        for kind in dict.fromkeys(kinds.tolist()):
            of_kind = np.flatnonzero((kinds == kind) & usable)
            places.setdefault(kind, []).append(start + of_kind)
        start += len(pairs)
    joined = [np.concatenate(parts) for parts in places.values()]
    return [kind for kind in joined if len(kind)]


def describe_missing(pairs: Pairs, index: int) -> str:
    """Return what training needs of a pair and does not have; empty where it has everything."""
    if pairs.label(index) == UNLABELLED:
        return "no label"
    missing = [
        side for side, is_known in zip(SIDES, pairs.known(index), strict=True) if not is_known
    ]
    return f"no mask of its {' and '.join(missing)}" if missing else ""


def count_unlabelled(dataset: PairDataset) -> tuple[int, str]:
    """Return how many pairs lack a label or a true mask, and the first of them in words."""
    count, first = 0, ""
    for pairs in dataset.sets:
        for index in pairs.indices:
            if missing := describe_missing(pairs, index):
                count, first = count + 1, first or f"{pairs.name}/{index} has {missing}"
    return count, first


def check_learnable(dataset: PairDataset, skip_unlabelled: bool) -> tuple[Kinds, int]:
    """Return the pairs to learn from by kind, and the number of those that are left out.

    Args:
        dataset: One or several sets of pairs.
        skip_unlabelled: Leave out pairs without a label or a true mask.

    Raises:
        RunError: There are no pairs, or unlabelled ones that are not to be left out.
    """
    for pairs in dataset.sets:
        if not len(pairs):
            where = pairs.origin.get("path", pairs.name)
            raise RunError.expected(where, "pairs to learn from", "none", "Give another --data")
    count, first = count_unlabelled(dataset)
    if count and (not skip_unlabelled or count == len(dataset)):
        give = "ive their masks and labels"
        then = (
            f"G{give}" if skip_unlabelled else f"Leave them out with --skip-unlabelled, or g{give}"
        )
        raise RunError.expected(
            dataset.sets[0].origin.get("path", dataset.sets[0].name),
            "a label and both true masks of each pair",
            f"{count:,} of {len(dataset):,} without, such as {first}",
            then,
        )
    return find_kinds(dataset, skip_unlabelled=skip_unlabelled), count
