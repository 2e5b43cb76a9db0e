"""The worst answers of each method as cards: both pictures, truth and answer outlined."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import cv2
import numpy as np

from cisdl_bench.errors import CisdlError, RunError
from cisdl_bench.models.pair_detector import Probability
from cisdl_bench.progress import Progress
from cisdl_bench.records import Mask, Pair, Pairs, Pixels
from cisdl_bench.report.choice import PairChoice, choose_pairs, quality
from cisdl_bench.report.sheet import caption
from cisdl_bench.results.reload import find_masks, reopen
from cisdl_bench.results.results import Result

_SIDE = 224  # px of a picture
_QUALITY = 82  # of its JPEG
_TRUTH, _FOUND = (0, 200, 140), (235, 60, 40)


@dataclass(frozen=True)
class Card:
    """One pair that a method answered badly.

    Attributes:
        method: The method's name.
        set: The set's.
        difficulty: Of the pair; empty where it has none.
        text: What the pair is.
        value: How well it was answered, 0 to 1.
        pictures: Probe and donor as JPEG.
        masked: Whether the method's masks are drawn.
    """

    method: str
    set: str
    difficulty: str
    text: str
    value: float
    pictures: tuple[bytes, bytes]
    masked: bool


def cards_of(
    results: Sequence[Result],
    method: str,
    worst: int,
    progress: Progress,
    data: Path | None = None,
) -> tuple[list[Card], list[str]]:
    """Return the worst answers of one method, the same number of each set, and what is amiss.

    Args:
        results: The method's, a set each.
        method: Its name.
        worst: How many cards at most.
        progress: Hears how it goes on.
        data: Where pairs are; None is where they were scored.
    """
    cards: list[Card] = []
    amiss: list[str] = []
    for place, result in enumerate(results):
        each = worst // len(results) + (place < worst % len(results))
        try:
            pairs = reopen(result, progress, data)
        except RunError as error:
            amiss.append(str(error))
            continue
        rows = result.rows()
        values = dict(zip(rows["index"].tolist(), quality(rows).tolist(), strict=True))
        for number in choose_pairs(rows, PairChoice("worst", each)):
            try:
                cards.append(_card_of(result, method, pairs, number, values[number]))
            except CisdlError as error:
                amiss.append(str(error))
            progress.advance(1)
    return sorted(cards, key=lambda card: card.value), amiss


def _card_of(result: Result, method: str, pairs: Pairs, number: int, value: float) -> Card:
    """Return the card of one pair.

    Raises:
        CisdlError: A picture or a saved mask cannot be read.
    """
    pair, masks = pairs[number], find_masks(result, pairs, number)
    sides = [
        _picture(picture, truth if known else None, masks[k] if masks else None)
        for k, (picture, truth, known) in enumerate(
            (
                (pair.probe, pair.probe_mask, pair.known[0]),
                (pair.donor, pair.donor_mask, pair.known[1]),
            )
        )
    ]
    return Card(
        method,
        result.set,
        str(pair.numbers.get("difficulty", "")),
        _text(pair, number),
        value,
        (sides[0], sides[1]),
        masks is not None,
    )


def _text(pair: Pair, number: int) -> str:
    return f"pair {number}: {caption(pair)}"


def _picture(picture: Pixels, truth: Mask | None, mask: Probability | None) -> bytes:
    size = (_SIDE, _SIDE)
    drawn = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    for found, ink in ((truth, _TRUTH), (None if mask is None else mask > 0.5, _FOUND)):
        if found is None:
            continue
        inside = cv2.resize(found.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        lines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, lines, -1, ink, 2)
    bgr = cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1])


def gallery_html(cards: Sequence[Card]) -> str:
    """Return the cards and their filters as HTML."""
    filters = "".join(
        _filter(name, [str(getattr(card, name)) for card in cards])
        for name in ("method", "set", "difficulty")
    )
    shown = '<span class=note>shown: <b id="shown"></b></span>'
    body = "".join(map(_card, cards))
    return f'<div class="filters">{filters}{shown}</div><div class="gallery">{body}</div>'


def _filter(name: str, values: Sequence[str]) -> str:
    known = [value for value in dict.fromkeys(values) if value]
    options = "".join(f"<option>{escape(value)}</option>" for value in known)
    every = f'<option value="">all ({len(known)})</option>'
    return f"<label>{name} <select name={name}>{every}{options}</select></label>"


def _card(card: Card) -> str:
    images = "".join(
        f'<img loading="lazy" alt="{side}" src="data:image/jpeg;base64,'
        f'{base64.b64encode(data).decode()}">'
        for side, data in zip(("probe", "donor"), card.pictures, strict=True)
    )
    found = "" if card.masked else "; its masks were not saved (score with --save-masks)"
    data = {"method": card.method, "set": card.set, "difficulty": card.difficulty}
    keys = " ".join(f'data-{name}="{escape(value)}"' for name, value in data.items())
    text = f"<b>{escape(card.method)}</b>, {escape(card.set)}, {escape(card.text)}"
    return (
        f'<figure class="pair" {keys}><div>{images}</div>'
        f"<figcaption>{text}: <b>{card.value:.3f}</b>{found}</figcaption></figure>"
    )
