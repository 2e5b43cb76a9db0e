"""A contact sheet of pairs with their masks outlined."""

from pathlib import Path
from textwrap import wrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cisdl_bench.errors import StoreError
from cisdl_bench.pair_picture import outlined
from cisdl_bench.pairs import Pairs
from cisdl_bench.report.caption import describe_pair
from cisdl_bench.seeding import permutation, stream

_TILE, _GAP = 192, 10
_LINE, _LINES, _LETTERS = 14, 3, 70  # of a caption: height in px, their number, their length
_PAPER, _INK = (250, 250, 250), (30, 30, 30)


def draw_sheet(pairs: Pairs, count: int, columns: int, seed: int = 0) -> Image.Image:
    """Return a sheet of pairs, probe left and donor right, chosen at random but in order.

    Both masks are outlined, where there are any; below stand the pair's number and what it is.

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
    step_x, step_y = 2 * _TILE + 2 + _GAP, _TILE + _LINE * _LINES + _GAP
    size = (columns * step_x + _GAP, rows * step_y + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(11)
    for k, pair in enumerate(chosen):
        x, y = _GAP + k % columns * step_x, _GAP + k // columns * step_y
        sheet.paste(outlined(pair.probe, pair.probe_mask, _TILE), (x, y))
        sheet.paste(outlined(pair.donor, pair.donor_mask, _TILE), (x + _TILE + 2, y))
        number = pair.name.rpartition("/")[2]
        text = f"{number}: {describe_pair(pair)}"
        letters = int((2 * _TILE + 2) / max(font.getlength(text) / len(text), 1))
        lines = wrap(text, min(letters, _LETTERS), max_lines=_LINES)
        for number_of_line, line in enumerate(lines):
            below = y + _TILE + 1 + number_of_line * _LINE
            pen.text((x, below), line, fill=_INK, font=font)
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
