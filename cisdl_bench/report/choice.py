"""Which pairs of a set are shown: the worst, the best, random ones, or those that are named."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import RunError
from cisdl_bench.scoring.rows import Rows
from cisdl_bench.seeding import permutation, stream

CHOICES = ("worst", "best", "random")


@dataclass(frozen=True)
class PairChoice:
    """Which pairs are shown.

    Attributes:
        how: Rule of the choice, one of ``CHOICES``; the first method's scores decide.
        count: Number of pairs.
        ids: Numbers of pairs that are shown instead.
        seed: Seed of a random choice.
    """

    how: str = "worst"
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

    ``worst`` and ``best`` are by ``quality``. Many pairs share one value: a method that finds
    nothing has IoU 0 on each of them, and is right about each negative pair. Among equal ones come
    first those of which the answer holds most pixels, so that wrong regions are seen before black
    squares; misses come after them, and are not hidden.

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
    values = quality(rows)
    defined = np.flatnonzero(~np.isnan(values))
    sign = 1 if choice.how == "worst" else -1
    # Of equal ones those with something to see first: black squares show nothing.
    blank = count_called_px(rows)[defined] == 0
    order = defined[np.lexsort((-count_called_px(rows)[defined], blank, sign * values[defined]))]
    return [numbers[k] for k in order[: choice.count].tolist()]
