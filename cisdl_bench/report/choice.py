"""Which pairs of a set are shown: the worst, median or best, random ones, or named ones."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import RunError
from cisdl_bench.scoring.rows import Rows
from cisdl_bench.seeding import permutation, stream

CHOICES = ("spread", "worst", "median", "best", "random")


@dataclass(frozen=True)
class PairChoice:
    """Which pairs are shown.

    Attributes:
        how: Rule of the choice, one of ``CHOICES``; the first method's scores decide. ``spread`` is
            a third each of the best, those around the median, and the worst.
        count: Number of pairs.
        ids: Numbers of pairs that are shown instead.
        seed: Seed of a random choice.
    """

    how: str = "spread"
    count: int = 6
    ids: tuple[int, ...] = ()
    seed: int = 0


def quality(rows: Rows) -> npt.NDArray[np.float64]:
    """Return how well each pair was answered, 0 to 1, float64 (n,); NaN of unlabelled pairs.

    The mean IoU of its known masks; of a pair without any, or whose masks are all empty, 1 minus
    the distance of its score from its label.
    """
    with np.errstate(invalid="ignore"):
        iou = rows.mask_values("iou")
    defined = ~np.isnan(iou)
    mean = np.where(defined, iou, 0).sum(axis=1) / np.maximum(defined.sum(axis=1), 1)
    scores = rows.pair_scores("mask")
    scores = np.where(np.isnan(scores), rows["own_score"], scores)
    right = 1 - np.abs(np.clip(scores, 0, 1) - rows["label"])
    values = np.where(defined.any(axis=1) & (rows["label"] == 1), mean, right)
    return np.where(rows["label"] >= 0, values, np.nan)


def count_called_px(rows: Rows) -> npt.NDArray[np.int64]:
    """Return the number of pixels that are called tampered in both masks of each pair, (n,)."""
    counts = rows.scored_pairs().counts
    return np.asarray((counts.tp + counts.fp).sum(axis=1))


def choose_pairs(rows: Rows, choice: PairChoice) -> list[int]:
    """Return the numbers of the pairs that are shown.

    All but random and named ones are by ``quality``. Many pairs share one value: a method that
    finds nothing has IoU 0 on each of them, and is right about each negative pair. Among equal ones
    come first those of which the answer holds most pixels, so that wrong regions are seen before
    black squares; misses come after them, and are not hidden.

    Raises:
        RunError: There is no pair of a number that was asked for.
    """
    numbers = rows["index"].tolist()
    if choice.ids:
        lacking = [number for number in choice.ids if number not in numbers]
        if lacking:
            raise RunError.expected(
                f"--ids {lacking[0]}",
                f"a pair from {numbers[0]} to {numbers[-1]}",
                "none",
                "Name one",
            )
        return list(choice.ids)
    if choice.how == "random":
        order = permutation(stream(choice.seed, "pair sheet"), len(numbers))[: choice.count]
        return [numbers[k] for k in sorted(order.tolist())]
    if choice.how == "median":
        ranked = _rank(rows, "best")
        start = max(0, (len(ranked) - choice.count) // 2)
        return [numbers[k] for k in ranked[start : start + choice.count]]
    if choice.how != "spread":
        return [numbers[k] for k in _rank(rows, choice.how)[: choice.count]]
    best, worst = _rank(rows, "best"), _rank(rows, "worst")
    sizes = spread_sizes(min(choice.count, len(best)))
    worst = worst[: sizes["worst"]]
    rest = [k for k in best if k not in worst]
    between = rest[sizes["best"] :]
    start = max(0, min((len(best) - sizes["median"]) // 2 - sizes["best"], len(between)))
    start = min(start, max(0, len(between) - sizes["median"]))
    middle = between[start : start + sizes["median"]]
    return [numbers[k] for k in (*rest[: sizes["best"]], *middle, *reversed(worst))]


def _rank(rows: Rows, how: str) -> list[int]:
    """Return the places of the labelled pairs, the worst or the best first."""
    values = quality(rows)
    defined = np.flatnonzero(~np.isnan(values))
    sign = 1 if how == "worst" else -1
    # Of equal ones those with something to see first: black squares show nothing.
    called = count_called_px(rows)[defined]
    order = np.lexsort((-called, called == 0, sign * values[defined]))
    places: list[int] = defined[order].tolist()
    return places


def spread_sizes(count: int) -> dict[str, int]:
    """Return how many pairs of a spread are the best, around the median, and the worst.

    >>> spread_sizes(6), spread_sizes(4)
    ({'best': 2, 'median': 2, 'worst': 2}, {'best': 1, 'median': 1, 'worst': 2})
    """
    third = count // 3
    worst = -(-count // 3)
    return {"best": count - worst - third, "median": third, "worst": worst}


def name_choices(choice: PairChoice, count: int) -> list[str]:
    """Return the word for each chosen pair, such as ``worst``; empty of named and random ones.

    >>> name_choices(PairChoice(), 3), name_choices(PairChoice("worst"), 2)
    (['best', 'median', 'worst'], ['worst', 'worst'])
    """
    if choice.ids or choice.how == "random":
        return [""] * count
    if choice.how != "spread":
        return [choice.how] * count
    return [word for word, size in spread_sizes(count).items() for _ in range(size)]
