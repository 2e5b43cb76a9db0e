"""Probe, donor, truth and each method's probability maps, as Figs. 7 and 8."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cisdl_bench.errors import RunError
from cisdl_bench.metrics import localization
from cisdl_bench.metrics.counts import count
from cisdl_bench.models.detection import Probability
from cisdl_bench.pairs import Pair, Pairs
from cisdl_bench.progress import Progress
from cisdl_bench.records import set_names
from cisdl_bench.report.choice import PairChoice, choose_pairs, name_choices
from cisdl_bench.report.drawing import new_figure, plain
from cisdl_bench.report.figure import Figure, FigureOptions
from cisdl_bench.report.methods import gathered, name_method
from cisdl_bench.report.palette import FOUND, HALO
from cisdl_bench.results.reload import find_masks, reopen
from cisdl_bench.results.result import Result

_TILE = 1.15  # inches


def draw_pairs(runs: Sequence[Path], options: FigureOptions, progress: Progress) -> Any:
    """Return a matplotlib figure: two rows a pair (probe, donor), then truth, then a map a method.

    Args:
        runs: Folders of results, a method each.
        options: Set, choice of pairs, and where they are.
        progress: Receives progress updates and messages.

    Raises:
        RunError: There is no common set, its pairs are gone, or a method's masks were not saved.
    """
    results, names = gathered(runs)
    shown = _choose_set(results, options.sets[0] if options.sets else None)
    pairs = reopen(shown[0], progress, options.data)
    choice = PairChoice(options.choose, options.count, options.ids, options.seed)
    numbers = choose_pairs(shown[0].rows(), choice)
    words = name_choices(choice, len(numbers))
    columns = 2 + len(shown)
    blocks = _blocks(len(numbers), columns)
    rows = -(-len(numbers) // blocks)
    figure, axes = new_figure(
        (_TILE * columns + 0.3) * blocks, _TILE * 1.06 * 2 * rows + 0.6, 2 * rows, columns * blocks
    )
    by = f", ordered by {name_method(shown[0], names)}" if any(words) else ""
    figure.suptitle(plain(f"{shown[0].set}{by}"), x=0.01, ha="left", fontsize=9, weight="bold")
    for axis in axes.ravel():
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    titles = ["", "truth", *(name_method(result, names) for result in shown)]
    for axis, title in zip(axes[0], titles * blocks, strict=True):
        axis.set_title(plain(title), fontsize=7, loc="center", weight="normal")
    for k, number in enumerate(numbers):
        block, row = divmod(k, rows)
        tiles = axes[2 * row : 2 * row + 2, block * columns : (block + 1) * columns]
        pair = pairs.pair(number)
        _draw_pictures(tiles, pair, f"{words[k]} pair {number}".strip())
        for column, result in enumerate(shown, start=2):
            masks = _read_masks(result, pairs, number)
            for side in (0, 1):
                _draw_mask(tiles[side, column], masks[side], _truth(pair, side))
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


def _choose_set(results: Sequence[Result], name: str | None) -> list[Result]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.set, []).append(result)
    runs = {result.path.parent for result in results}
    common = [n for n, group in groups.items() if {r.path.parent for r in group} == runs]
    if name is None and common:
        return groups[common[0]]
    if name in groups:
        return groups[name]
    begins = [n for n in common if name and n.startswith(set_names([name]))]
    if begins:
        return groups[begins[0]]
    raise RunError.expected(
        f"--set {name}" if name else "--set",
        "a set that was scored by all methods",
        ", ".join(groups),
        "Name one of those",
    )


def _read_masks(result: Result, pairs: Pairs, number: int) -> tuple[Probability, Probability]:
    masks = find_masks(result, pairs, number)
    if masks is None:
        raise RunError(f"{result.path}: no masks were saved. Score it again with --save-masks.")
    return masks


def _truth(pair: Pair, side: int) -> Any:
    return (pair.probe_mask, pair.donor_mask)[side] if pair.known[side] else None


def _draw_pictures(axes: Any, pair: Pair, label: str) -> None:
    for side, (picture, word) in enumerate(
        ((pair.probe, f"{label}\nprobe"), (pair.donor, f"{pair.kind}\ndonor"))
    ):
        axes[side, 0].imshow(picture)
        axes[side, 0].set_ylabel(word, fontsize=6)
        truth = _truth(pair, side)
        if truth is None:
            axes[side, 1].text(0.5, 0.5, "not known", fontsize=6, ha="center", va="center")
        else:
            axes[side, 1].imshow(truth, cmap="gray", vmin=0, vmax=1)


def _draw_mask(axis: Any, mask: Probability, truth: Any) -> None:
    axis.imshow(mask, cmap="gray", vmin=0, vmax=1)
    if truth is None or not truth.any():
        return
    from matplotlib.patheffects import withStroke

    value = float(localization.iou(count(mask > 0.5, truth)))
    corner = {"color": FOUND, "fontsize": 7, "weight": "bold", "va": "bottom", "ha": "left"}
    text = axis.text(0.04, 0.04, f"IoU {value:.2f}", transform=axis.transAxes, **corner)
    text.set_path_effects([withStroke(linewidth=2.2, foreground=HALO)])


FIGURE = Figure(draw_pairs)
