"""BioFors' external duplication detection (EDD): panels of biomedical figures, by category.

::

    classification.json       {paper: {panel: category}}
    edd_gt.json               {paper: {"a.png b.png": [[boxes in a], [boxes in b]]}}
    edd_test_pairs.json       {paper: {category: ["a.png b.png", ...]}}
    PAPER/PANEL.png           or below --images

Boxes are ``[x0, y0, x1, y1]`` with open ends. A tested pair may stand in the truth in the other
order; one that does not stand there is negative. Without ``edd_test_pairs.json`` the pairs are
those of the truth, all positive. Each category is a set of its own, that of a pair its first
panel's, as BioFors' authors score them (Sabir et al., ICCV 2021, and their evaluation code).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from cisdl_bench.adapters.formats import ListFormat
from cisdl_bench.adapters.listed import Boxes, ListedPair, PairList
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.picture import read_bytes
from cisdl_bench.errors import SourceError
from cisdl_bench.strict_json import conforming, decoded

TRUTH, TEST_PAIRS, CATEGORIES = "edd_gt.json", "edd_test_pairs.json", "classification.json"
_THEN = "Get the file again from BioFors' authors"

_Px = Annotated[int, Meta(ge=0, le=1 << 16)]
_Box = tuple[_Px, _Px, _Px, _Px]
_BothBoxes = tuple[list[_Box], list[_Box]]
_Panels = tuple[str, str]


def read_biofors(path: Path, options: ListOptions, form: ListFormat) -> PairList:
    """Return the pairs of one category, or of all where ``options.part`` is empty.

    Raises:
        SourceError: A file cannot be read, a box is empty, or a panel or category is not known.
    """
    categories = _read(path / CATEGORIES, dict[str, dict[str, str]])
    truth = _read_truth(path / TRUTH, empty_too=options.skip_unusable)
    tested = path / TEST_PAIRS
    known = list(_read_tested(tested)) if tested.exists() else list(truth)
    root = options.images or path
    pairs: list[ListedPair] = []
    for paper, panels in known:
        panel_categories = [
            _find_category(path, categories, form, paper, panel) for panel in panels
        ]
        if options.part and panel_categories[0] != options.part:
            continue
        boxes = truth.get((paper, panels)) or _swapped(truth.get((paper, panels[::-1])))
        names = f"{paper}/{panels[0]}", f"{paper}/{panels[1]}"
        probe, donor = (root / paper / panel for panel in panels)
        masks = boxes or (None, None)
        pairs.append(ListedPair(len(pairs), *names, probe, donor, int(bool(boxes)), *masks))
    word = options.part.lower().replace("/", "-")
    name = "-".join(filter(None, (form.name, word)))
    notes = () if tested.exists() else (f"BioFors: no {TEST_PAIRS}, so no negative pairs",)
    return PairList(
        form.name,
        name,
        path,
        tuple(pairs),
        masks=form.masks,
        canvas=form.canvas,
        notes=notes,
    )


def _read(path: Path, shape: Any) -> Any:
    return decoded(read_bytes(path), shape, path, _THEN, SourceError)


def _read_truth(path: Path, empty_too: bool) -> dict[tuple[str, _Panels], tuple[Boxes, Boxes]]:
    """Return the boxes of both panels by paper and pair, in the order of the file.

    Args:
        path: The file.
        empty_too: Whether empty boxes are taken: ``Boxes.draw`` refuses them, pair by pair.
    """
    truth: dict[tuple[str, _Panels], tuple[Boxes, Boxes]] = {}
    for paper, pairs in _read(path, dict[str, dict[str, Any]]).items():
        for pair, given in pairs.items():
            where = f"{path}: {paper}: {pair}"
            conforming(given, _BothBoxes, where, _THEN, SourceError)
            panels = _split_pair(pair, where)
            if (paper, panels[::-1]) in truth and panels != panels[::-1]:
                raise SourceError(f"{where}: the pair stands there twice. Remove one.")
            for box in () if empty_too else (*given[0], *given[1]):
                if not (box[0] < box[2] and box[1] < box[3]):
                    what = "boxes [x0, y0, x1, y1] with x0 < x1 and y0 < y1"
                    raise SourceError.expected(where, what, box, "Correct the box")
            probe, donor = (Boxes(tuple(tuple(box) for box in side), where) for side in given)
            if not (probe.corners and donor.corners):
                raise SourceError.expected(
                    where, "boxes in both panels", "none in one", "Add them, or remove the pair"
                )
            truth[paper, panels] = probe, donor
    return truth


def _read_tested(path: Path) -> Iterator[tuple[str, _Panels]]:
    """Yield the paper and the panels of each tested pair, in the order of the file."""
    for paper, by_category in _read(path, dict[str, dict[str, list[str]]]).items():
        for pairs in by_category.values():
            for pair in pairs:
                yield paper, _split_pair(pair, f"{path}: {paper}")


def _split_pair(pair: str, where: str) -> _Panels:
    panels = pair.split()
    if len(panels) != 2 or any(Path(panel).name != panel for panel in panels):
        raise SourceError.expected(
            where, 'two panels, such as "a.png b.png"', repr(pair), "Correct the pair"
        )
    return panels[0], panels[1]


def _swapped(boxes: tuple[Boxes, Boxes] | None) -> tuple[Boxes, Boxes] | None:
    return (boxes[1], boxes[0]) if boxes else None


def _find_category(
    path: Path,
    categories: Mapping[str, Mapping[str, str]],
    form: ListFormat,
    paper: str,
    panel: str,
) -> str:
    where = f"{path / CATEGORIES}: {paper}"
    if Path(paper).name != paper:
        raise SourceError.expected(where, "the name of a folder", repr(paper), "Correct the paper")
    category = categories.get(paper, {}).get(panel)
    if category is None:
        raise SourceError.expected(where, f"the category of {panel}", "none", "Add the panel")
    if category not in form.parts:
        raise SourceError.expected(
            f"{where}: {panel}", f"one of {', '.join(form.parts)}", category, "Correct it"
        )
    return category
