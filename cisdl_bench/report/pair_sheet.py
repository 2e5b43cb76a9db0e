"""Pairs with the truth and several methods' probability maps side by side (Figs. 7 and 8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import RunError
from cisdl_bench.metrics import localization
from cisdl_bench.metrics.counts import count
from cisdl_bench.models.pair_detector import Probability
from cisdl_bench.progress import Progress
from cisdl_bench.records import Pair, Pairs
from cisdl_bench.report.drawing import new_figure, plain
from cisdl_bench.report.methods import gathered, name_of
from cisdl_bench.results.reload import find_masks, reopen
from cisdl_bench.results.results import Result
from cisdl_bench.scoring.rows import Rows
from cisdl_bench.scoring.summary import mask_values, pair_scores
from cisdl_bench.seeding import permutation, stream

CHOICES = ("worst", "best", "random")
_TILE = 1.15  # inches


@dataclass(frozen=True)
class Choice:
    """Which pairs are shown.

    Attributes:
        how: One of ``CHOICES``; the first method's scores decide.
        count: How many.
        ids: Their numbers, instead of both.
        seed: Which random ones.
        set: The set; None is the first that all methods were scored on.
        data: Where the pairs are; None is where they were scored.
    """

    how: str = "worst"
    count: int = 6
    ids: tuple[int, ...] = ()
    seed: int = 0
    set: str | None = None
    data: Path | None = None


def quality(rows: Rows) -> npt.NDArray[np.float64]:
    """Return how well each pair was answered, 0 to 1, float64 (n,); NaN where nobody can say.

    The mean IoU of its known masks; of a pair without any, or whose masks are all empty, 1 minus
    the distance of its score from its label.
    """
    with np.errstate(invalid="ignore"):
        iou = mask_values(rows)[:, 0]
    there = ~np.isnan(iou)
    mean = np.where(there, iou, 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    scores = pair_scores(rows, "mask")
    scores = np.where(np.isnan(scores), rows["own_score"], scores)
    right = 1 - np.abs(np.clip(scores, 0, 1) - rows["label"])
    found = np.where(there.any(axis=1) & (rows["label"] == 1), mean, right)
    return np.where(rows["label"] >= 0, found, np.nan)


def shown_px(rows: Rows) -> npt.NDArray[np.int64]:
    """Return how many pixels of both masks a pair's answer calls tampered, int64 (n,)."""
    counts = rows.counts()
    return np.asarray((counts.tp + counts.fp).sum(axis=1))


def chosen(rows: Rows, choice: Choice) -> list[int]:
    """Return the numbers of the pairs that are shown.

    ``worst`` and ``best`` are by ``quality``. Many pairs share one value: a method that finds
    nothing has IoU 0 on each of them, and is right about each negative pair. Among equal ones come
    first those of which the answer holds most pixels, so that wrong regions are seen before black
    squares; misses come after them, and are not hidden.

    Raises:
        RunError: An asked one is not there.
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
    blank = shown_px(rows)[defined] == 0
    order = defined[np.lexsort((-shown_px(rows)[defined], blank, sign * values[defined]))]
    return [numbers[k] for k in order[: choice.count].tolist()]


def pair_figure(runs: Sequence[Path], choice: Choice, progress: Progress) -> Any:
    """Return a matplotlib figure: two rows a pair (probe, donor), then truth, then a map a method.

    Args:
        runs: Folders of results, a method each.
        choice: Which pairs.
        progress: Hears how files are looked at.

    Raises:
        RunError: There is no common set, its pairs are gone, or a method's masks were not saved.
    """
    results, names = gathered(runs)
    shown = _of_one_set(results, choice.set)
    pairs = reopen(shown[0], progress, choice.data)
    numbers = chosen(shown[0].rows(), choice)
    columns = 2 + len(shown)
    blocks = _blocks(len(numbers), columns)
    rows = -(-len(numbers) // blocks)
    figure, axes = new_figure(
        (_TILE * columns + 0.3) * blocks, _TILE * 1.06 * 2 * rows + 0.3, 2 * rows, columns * blocks
    )
    for axis in axes.ravel():
        axis.set(xticks=[], yticks=[])
    titles = ["", "truth", *(name_of(result, names) for result in shown)]
    for axis, title in zip(axes[0], titles * blocks, strict=True):
        axis.set_title(plain(title), fontsize=7)
    for k, number in enumerate(numbers):
        block, row = divmod(k, rows)
        tiles = axes[2 * row : 2 * row + 2, block * columns : (block + 1) * columns]
        pair = pairs[number]
        _pictures(tiles, pair, number)
        for column, result in enumerate(shown, start=2):
            found = _maps(result, pairs, number)
            for side in (0, 1):
                _map(tiles[side, column], found[side], _truth(pair, side))
    for k in range(len(numbers), rows * blocks):
        block, row = divmod(k, rows)
        for axis in axes[2 * row : 2 * row + 2, block * columns : (block + 1) * columns].ravel():
            axis.set_axis_off()
    return figure


def _blocks(pairs: int, columns: int) -> int:
    """Return in how many blocks beside each other pairs are shown, for a page's proportions.

    >>> _blocks(2, 6), _blocks(16, 6)
    (1, 2)
    """
    blocks = 1
    while 2 * -(-pairs // blocks) > 1.6 * columns * blocks:
        blocks += 1
    return blocks


def _of_one_set(results: Sequence[Result], name: str | None) -> list[Result]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.set, []).append(result)
    runs = {result.path.parent for result in results}
    common = [n for n, group in groups.items() if {r.path.parent for r in group} == runs]
    if name is None and common:
        return groups[common[0]]
    if name in groups:
        return groups[name]
    raise RunError.expected(
        f"--set {name}" if name else "--set",
        "a set that was scored by all methods",
        ", ".join(groups),
        "Name one of those",
    )


def _maps(result: Result, pairs: Pairs, number: int) -> tuple[Probability, Probability]:
    found = find_masks(result, pairs, number)
    if found is None:
        raise RunError.expected(
            result.path, "masks", "none that were saved", "Score it again with --save-masks"
        )
    return found


def _truth(pair: Pair, side: int) -> Any:
    return (pair.probe_mask, pair.donor_mask)[side] if pair.known[side] else None


def _pictures(axes: Any, pair: Pair, number: int) -> None:
    label = f"{number} {pair.kind}"
    for side, (picture, word) in enumerate(
        ((pair.probe, f"{label}\nprobe"), (pair.donor, "donor"))
    ):
        axes[side, 0].imshow(picture)
        axes[side, 0].set_ylabel(word, fontsize=6)
        truth = _truth(pair, side)
        if truth is None:
            axes[side, 1].text(0.5, 0.5, "not known", fontsize=6, ha="center", va="center")
        else:
            axes[side, 1].imshow(truth, cmap="gray", vmin=0, vmax=1)


def _map(axis: Any, mask: Probability, truth: Any) -> None:
    axis.imshow(mask, cmap="gray", vmin=0, vmax=1)
    if truth is None or not truth.any():
        return
    value = float(localization.iou(count(mask > 0.5, truth)))
    corner = {"color": "#ffd000", "fontsize": 6, "va": "bottom", "ha": "left"}
    axis.text(0.03, 0.03, f"IoU {value:.2f}", transform=axis.transAxes, **corner)
