"""A contact sheet of pairs with their masks outlined."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cisdl_bench.errors import StoreError
from cisdl_bench.pair_picture import outlined
from cisdl_bench.pairs import Pair, Pairs
from cisdl_bench.seeding import permutation, stream
from cisdl_bench.transforms.registry import all_parameters

_TILE, _GAP, _CAPTION = 192, 10, 16
_PAPER, _INK = (250, 250, 250), (30, 30, 30)


def draw_sheet(pairs: Pairs, count: int, columns: int, seed: int = 0) -> Image.Image:
    """Return a sheet of pairs, probe left and donor right, chosen at random but in order.

    Both masks are outlined in green; a pair of a kind without masks has no outline.

    Args:
        pairs: Set or list that is shown.
        count: Number of pairs, at most; all where there are fewer.
        columns: Number of pairs in a row.
        seed: Seed of the random choice.
    """
    order = permutation(stream(seed, "sheet"), len(pairs))[:count]
    chosen = [pairs[int(i)] for i in np.sort(order)]
    columns = max(1, min(columns, len(chosen)))
    rows = -(-len(chosen) // columns)
    step_x, step_y = 2 * _TILE + 2 + _GAP, _TILE + _CAPTION + _GAP
    size = (columns * step_x + _GAP, rows * step_y + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(11)
    for k, pair in enumerate(chosen):
        x, y = _GAP + k % columns * step_x, _GAP + k // columns * step_y
        sheet.paste(outlined(pair.probe, pair.probe_mask, _TILE), (x, y))
        sheet.paste(outlined(pair.donor, pair.donor_mask, _TILE), (x + _TILE + 2, y))
        pen.text((x, y + _TILE + 1), caption(pair), fill=_INK, font=font)
    return sheet


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """Write a sheet; the file's ending says the format.

    Raises:
        StoreError: The file cannot be written, or its ending is of no picture.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path)
    except (OSError, ValueError) as error:
        raise StoreError.expected(
            path, "a picture file to write, such as sheet.png", error, "Choose another -o"
        ) from error


def caption(pair: Pair) -> str:
    """Return a line about a pair: its kind and class, and how its region was transformed."""
    numbers = pair.numbers
    if "difficulty" not in numbers:
        names = [Path(str(numbers.get(side, ""))).stem for side in ("probe", "donor")]
        return f"{pair.kind}: {' | '.join(names)}"[:64]
    share = float(numbers["probe_area_px"]) / pair.probe_mask.size
    parts = [f"#{numbers['index']} {pair.kind}, {numbers['difficulty']} {share:.1%}"]
    for name, parameter in all_parameters().items():
        value = numbers.get(name, parameter.neutral)
        if parameter.caption and value != parameter.neutral:
            parts.append(parameter.caption.format(value))
    return " ".join(parts)
