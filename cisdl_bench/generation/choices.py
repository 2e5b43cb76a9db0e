"""What sets beyond the paper choose: look-alike backgrounds, and further regions."""

import numpy as np
import numpy.typing as npt

from cisdl_bench.sources.index import Index

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Share of its picture that a look-alike must have to be noticed.
_LEAST_SHARE = 0.01


def choose_lookalikes(index: Index, annotations: Ints, u: Floats) -> Ints:
    """Return, for each annotation, a picture of another group with an instance of its category.

    Each such picture is as likely as another.

    Args:
        index: Pictures and annotations of a split.
        annotations: Positions of annotations, (n,).
        u: Uniform numbers from 0 to 1, below 1, (n,).

    Returns:
        Positions of pictures, -1 where the annotation has no category or no picture shows it.
    """
    owners = np.repeat(np.arange(len(index)), np.diff(index.first_annotation))
    shown = index.area_frac() >= _LEAST_SHARE
    categories = np.asarray(index.annotation_category)
    group = np.asarray(index.picture_group)
    pictures: dict[int, Ints] = {}
    chosen = np.full(len(annotations), -1, dtype=np.int64)
    for place, annotation in enumerate(annotations.tolist()):
        category = int(categories[annotation])
        if category < 0:
            continue
        if category not in pictures:
            pictures[category] = np.unique(owners[shown & (categories == category)])
        known = pictures[category]
        others = known[group[known] != group[owners[annotation]]]
        if others.size:
            chosen[place] = others[int(u[place] * others.size)]
    return chosen


def choose_others(some: Ints, count: int, u: Floats) -> Ints | None:
    """Return several of some positions, none twice; None where there are not enough.

    Args:
        some: Positions to choose from, (n,).
        count: Number of positions wanted.
        u: Uniform numbers from 0 to 1, below 1, one for each.

    >>> choose_others(np.array([4, 5, 6]), 2, np.array([0.4, 0.0])).tolist()
    [5, 4]
    """
    left = some.tolist()
    if len(left) < count:
        return None
    return np.array([left.pop(int(chance * len(left))) for chance in u[:count].tolist()])
