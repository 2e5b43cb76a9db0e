"""Answers of each method as cards: both pictures, with the outlines of truth and answer."""

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cisdl_bench.errors import CisdlError, RunError
from cisdl_bench.models.detection import Probability
from cisdl_bench.pairs import Pair, Pairs
from cisdl_bench.progress import Progress
from cisdl_bench.records import SIDES, Mask, Pixels
from cisdl_bench.report.caption import describe_pair
from cisdl_bench.report.choice import PairChoice, choose_pairs, quality
from cisdl_bench.report.outline import trace_outline
from cisdl_bench.results.reload import find_masks, reopen
from cisdl_bench.results.result import Result

#: Sides in px and qualities of WebP that pictures may have, the best first, and bytes of one: the
#: mean of 200 photographs of COCO and a tenth.
_SIZES = ((256, 70, 10_300), (224, 60, 6_200), (192, 50, 4_500), (160, 45, 3_200))
#: Number of median and of best answers of each method, beside the worst ones.
OTHERS = {"median": 2, "best": 2}
_BUDGET = 2_600_000  # bytes of all pictures of a page, about, before base64


@dataclass(frozen=True)
class View:
    """One picture of a card.

    Attributes:
        side: ``probe`` or ``donor``.
        data: WebP in base64.
        px: Side of the picture.
        canvas: Side of the canvas that outlines are drawn on.
        truth: Outline of the true region, an SVG path; empty where there is none.
        found: Outline of the region that the method found, an SVG path.
    """

    side: str
    data: str
    px: int
    canvas: int
    truth: str
    found: str


@dataclass(frozen=True)
class Card:
    """One pair and a method's answer to it.

    Attributes:
        method: Name of the method.
        number: Place of the method, which decides its colour.
        set: Name of the set.
        difficulty: Class of the pair; empty where it has none.
        pair: Number of the pair.
        text: Kind, area and parameters of the pair in words.
        answer: Quality of the answer in words, such as ``mean IoU 0.960``.
        value: Quality of the answer, 0 to 1.
        views: Probe and donor.
        masked: Whether the method's masks are known.
        left_out: Number of small pieces of the found region that are not drawn.
        kind: Why it is shown: ``worst``, ``median`` or ``best`` of its set.
    """

    method: str
    number: int
    set: str
    difficulty: str
    pair: int
    text: str
    answer: str
    value: float
    views: tuple[View, ...]
    masked: bool
    left_out: int
    kind: str = "worst"


def choose_size(pictures: int) -> tuple[int, int]:
    """Return the side in px and the quality of pictures, smaller where there are very many.

    >>> choose_size(100), choose_size(448)
    ((256, 70), (192, 50))
    """
    fitting = [(side, quality) for side, quality, size in _SIZES if pictures * size <= _BUDGET]
    return fitting[0] if fitting else _SIZES[-1][:2]


def make_cards(
    results: Sequence[Result],
    method: tuple[str, int],
    worst: int,
    progress: Progress,
    data: Path | None = None,
    size: tuple[int, int] = _SIZES[0][:2],
) -> tuple[list[Card], list[str]]:
    """Return answers of one method, and what went wrong.

    Most are its worst ones, the same number of each set; of some sets a median and a best one show
    what it does else.

    Args:
        results: Results of the method, one a set.
        method: Name and place of the method.
        worst: Number of the worst answers, at most; 0: no cards.
        progress: Receives progress updates and messages.
        data: Path of the pairs; None is where they were scored.
        size: Side in px and quality of the pictures.
    """
    cards: list[Card] = []
    problems: list[str] = []
    for result, choices in zip(results, _share_out(len(results), worst), strict=True):
        if not choices:
            continue
        try:
            pairs = reopen(result, progress, data)
        except RunError as error:
            problems.append(str(error))
            continue
        rows = result.rows()
        values = dict(zip(rows["index"].tolist(), quality(rows).tolist(), strict=True))
        kinds: dict[int, str] = {}
        for choice in choices:
            for number in choose_pairs(rows, choice):
                kinds.setdefault(number, choice.how)
        for number, kind in kinds.items():
            try:
                card = _make_card(result, method, pairs, number, values[number], size)
                cards.append(replace(card, kind=kind))
            except CisdlError as error:
                problems.append(str(error))
            progress.advance(1)
    order = ("worst", *OTHERS)
    return sorted(cards, key=lambda card: (order.index(card.kind), card.value)), problems


def _share_out(sets: int, worst: int) -> list[list[PairChoice]]:
    """Return what is chosen of each set.

    >>> for choices in _share_out(3, 4):
    ...     print([(choice.how, choice.count) for choice in choices])
    [('worst', 2), ('median', 1), ('best', 1)]
    [('worst', 1), ('median', 1), ('best', 1)]
    [('worst', 1)]
    """
    counts: list[Counter[str]] = [Counter() for _ in range(sets)]
    for place in range(worst):
        counts[place % sets]["worst"] += 1
    for how, count in OTHERS.items() if worst else ():
        for place in range(count):
            counts[place * sets // count][how] += 1
    return [[PairChoice(how, count) for how, count in by_how.items()] for by_how in counts]


def _make_card(
    result: Result,
    method: tuple[str, int],
    pairs: Pairs,
    number: int,
    value: float,
    size: tuple[int, int],
) -> Card:
    """Return the card of one pair.

    Raises:
        CisdlError: A picture or a saved mask cannot be read.
    """
    pair, masks = pairs.pair(number), find_masks(result, pairs, number)
    pictures, truths = (pair.probe, pair.donor), (pair.probe_mask, pair.donor_mask)
    views, left_out = [], 0
    for side, name in enumerate(SIDES):
        truth, _ = _trace(truths[side] if pair.known[side] else None)
        found, more = _trace(_threshold(masks, side, result))
        data = base64.b64encode(_encode(pictures[side], *size)).decode()
        views.append(View(name, data, size[0], pairs.size, truth, found))
        left_out += more
    return Card(
        *method,
        result.set,
        str(pair.numbers.get("difficulty", "")),
        number,
        describe_pair(pair),
        _describe_answer(pair, value),
        value,
        tuple(views),
        masks is not None,
        left_out,
    )


def _threshold(masks: tuple[Probability, ...] | None, side: int, result: Result) -> Mask | None:
    return None if masks is None else masks[side] > result.record["request"]["threshold"]


def _trace(mask: Mask | None) -> tuple[str, int]:
    """Return a mask's outline; none of an empty one, of a full one, or of one that is not known."""
    return ("", 0) if mask is None or not mask.any() else trace_outline(mask)


def _describe_answer(pair: Pair, value: float) -> str:
    known = [
        mask for mask, k in zip((pair.probe_mask, pair.donor_mask), pair.known, strict=True) if k
    ]
    if pair.label == 1 and any(mask.any() for mask in known):
        return f"mean IoU {value:.3f}"
    score = value if pair.label == 1 else 1 - value
    return f"{'positive' if pair.label == 1 else 'negative'} pair, score {score:.3f}"


def _encode(picture: Pixels, side: int, quality: int) -> bytes:
    image = np.asarray(picture, dtype=np.uint8)
    if image.shape[0] != side:
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)
    bgr: Any = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".webp", bgr, (cv2.IMWRITE_WEBP_QUALITY, quality))[1])
