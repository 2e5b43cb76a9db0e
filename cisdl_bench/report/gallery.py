"""The worst answers of each method as cards: both pictures, truth and answer outlined."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cisdl_bench.errors import CisdlError, RunError
from cisdl_bench.models.detection import Probability
from cisdl_bench.pairs import Pairs
from cisdl_bench.progress import Progress
from cisdl_bench.records import SIDES, Mask, Pixels
from cisdl_bench.report.choice import PairChoice, choose_pairs, quality
from cisdl_bench.report.sheet import caption
from cisdl_bench.results.reload import find_masks, reopen
from cisdl_bench.results.result import Result

_SIDE = 224  # px of a picture
_QUALITY = 82  # of its JPEG
_TRUTH, _FOUND = (0, 200, 140), (235, 60, 40)


@dataclass(frozen=True)
class Card:
    """One pair that a method answered badly.

    Attributes:
        method: Name of the method.
        set: Name of the set.
        difficulty: Class of the pair; empty where it has none.
        text: Kind, class and parameters of the pair.
        value: Quality of the answer, 0 to 1.
        images: Probe and donor as JPEG in base64, by side.
        masked: Whether the method's masks are drawn.
    """

    method: str
    set: str
    difficulty: str
    text: str
    value: float
    images: dict[str, str]
    masked: bool


def make_cards(
    results: Sequence[Result],
    method: str,
    worst: int,
    progress: Progress,
    data: Path | None = None,
) -> tuple[list[Card], list[str]]:
    """Return the worst answers of one method, the same number of each set, and what went wrong.

    Args:
        results: Results of the method, one a set.
        method: Name of the method.
        worst: Number of cards, at most.
        progress: Receives progress updates and messages.
        data: Path of the pairs; None is where they were scored.
    """
    cards: list[Card] = []
    problems: list[str] = []
    for place, result in enumerate(results):
        share = worst // len(results) + (place < worst % len(results))
        try:
            pairs = reopen(result, progress, data)
        except RunError as error:
            problems.append(str(error))
            continue
        rows = result.rows()
        values = dict(zip(rows["index"].tolist(), quality(rows).tolist(), strict=True))
        for number in choose_pairs(rows, PairChoice("worst", share)):
            try:
                cards.append(_make_card(result, method, pairs, number, values[number]))
            except CisdlError as error:
                problems.append(str(error))
            progress.advance(1)
    return sorted(cards, key=lambda card: card.value), problems


def _make_card(result: Result, method: str, pairs: Pairs, number: int, value: float) -> Card:
    """Return the card of one pair.

    Raises:
        CisdlError: A picture or a saved mask cannot be read.
    """
    pair, masks = pairs.pair(number), find_masks(result, pairs, number)
    pictures, truths = (pair.probe, pair.donor), (pair.probe_mask, pair.donor_mask)
    images = {}
    for side, name in enumerate(SIDES):
        truth = truths[side] if pair.known[side] else None
        image = _draw_picture(pictures[side], truth, masks[side] if masks else None)
        images[name] = base64.b64encode(image).decode()
    return Card(
        method,
        result.set,
        str(pair.numbers.get("difficulty", "")),
        f"pair {number}: {caption(pair)}",
        value,
        images,
        masks is not None,
    )


def _draw_picture(picture: Pixels, truth: Mask | None, mask: Probability | None) -> bytes:
    size = (_SIDE, _SIDE)
    image = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    for region, ink in ((truth, _TRUTH), (None if mask is None else mask > 0.5, _FOUND)):
        if region is None:
            continue
        inside = cv2.resize(region.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        lines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, lines, -1, ink, 2)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1])
