"""From candidates to composites: mask, parameters, rendering."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from cisdl_bench.generate.draw import class_of
from cisdl_bench.generate.outline import Outline, Placement, outline_of
from cisdl_bench.generate.plan import Candidate, Plan, Wanted
from cisdl_bench.generate.render import cut_out, framed, jpeg_of, plan_warp, render
from cisdl_bench.records import Box, Composite, Pixels, Region

_TOGETHER = 128  # candidates whose first draws are computed at once


class Canvas(Protocol):
    """A source's pictures on the canvas by their position."""

    def has(self, position: int) -> bool:
        """Say whether the picture can be used."""
        ...

    def read(self, position: int) -> Pixels:
        """Return the picture, uint8 RGB (size, size, 3); valid until the next is read."""
        ...


class Instance(NamedTuple):
    """A donor's instance on the canvas.

    Attributes:
        region: Its mask.
        outline: Its hull and area.
        difficulty: The class of its area.
    """

    region: Region
    outline: Outline
    difficulty: str


def compose_range(
    plan: Plan, start: int, stop: int, canvas: Canvas, limit: int | None = None
) -> tuple[list[Composite], Counter[str], int]:
    """Return the composites of a range of candidates and why the others came to nothing.

    Args:
        plan: The set's candidates.
        start: The first candidate.
        stop: One behind the last.
        canvas: The source's pictures.
        limit: Stop after so many composites.

    Returns:
        The composites, counts by reason refused, and the first candidate not looked at.
    """
    composites: list[Composite] = []
    refused = Counter[str]()
    at = (-1, -1)  # the donor and the annotation that are framed
    frame = np.zeros((0, 0, 4), dtype=np.uint8)
    for low in range(start, stop, _TOGETHER):
        numbers = range(low, min(low + _TOGETHER, stop))
        found = list(_instances(plan, numbers, canvas))
        wanted = [
            Wanted(candidate, instance.outline, plan.spec.areas[instance.difficulty])
            for candidate, instance in (each for each in found if not isinstance(each, str))
        ]
        placements = iter(plan.placements(wanted))
        for number, each in zip(numbers, found, strict=True):
            if len(composites) == limit:
                return composites, refused, number
            if isinstance(each, str):
                refused[each] += 1
                continue
            candidate, instance = each
            if candidate.donor != at[0]:
                frame = framed(canvas.read(candidate.donor))
            if (candidate.donor, candidate.annotation) != at:
                cut_out(frame, instance.region)
                at = candidate.donor, candidate.annotation
            made = compose(plan, candidate, instance, next(placements), frame, canvas)
            if made is None:
                refused[f"no admissible parameters in {plan.spec.max_tries} tries"] += 1
            else:
                composites.append(made)
    return composites, refused, stop


def _instances(
    plan: Plan, numbers: range, canvas: Canvas
) -> Iterator[tuple[Candidate, Instance] | str]:
    """Yield candidates with their instances, or the reasons why they are refused.

    Each instance is drawn once for all candidates in a row that have it.
    """
    donor = -1
    known: dict[int, Instance | str] = {}
    for number in numbers:
        candidate = plan.candidate(number)
        if isinstance(candidate, str):
            yield candidate
        elif not canvas.has(candidate.donor):
            yield "donor cannot be used"
        elif not canvas.has(candidate.background):
            yield "background cannot be used"
        else:
            if candidate.donor != donor:
                donor, known = candidate.donor, {}
            if candidate.annotation not in known:
                known[candidate.annotation] = _instance(plan, candidate)
            instance = known[candidate.annotation]
            yield instance if isinstance(instance, str) else (candidate, instance)


def _instance(plan: Plan, candidate: Candidate) -> Instance | str:
    spec = plan.spec
    try:
        region = plan.source.region(candidate.annotation, candidate.donor, spec.size)
    except Exception:  # pycocotools raises exceptions of any class on outlines that it cannot draw
        return "instance cannot be drawn"
    if not region.bits.size:
        return "instance covers no pixel of the canvas"
    outline = outline_of(region)
    classes = spec.classes(candidate.difficulty)
    difficulty = class_of(outline.area_px, spec.size, classes, spec.closed)
    if difficulty is None:
        return "instance's area on the canvas is in no class of the set"
    return Instance(region, outline, difficulty)


def compose(
    plan: Plan,
    candidate: Candidate,
    instance: Instance,
    placements: Iterator[Placement],
    frame: Pixels,
    canvas: Canvas,
) -> Composite | None:
    """Return one candidate's composite; None where no placement does.

    Args:
        plan: The set's candidates.
        candidate: The one.
        instance: Its region in the donor.
        placements: What to try in turn.
        frame: Its donor from ``framed``, the instance cut out.
        canvas: The source's pictures.
    """
    spec = plan.spec
    wanted = {instance.difficulty: spec.areas[instance.difficulty]}
    for placement in placements:
        parameters = placement.parameters
        warp = plan_warp(placement, spec.size)
        pasted, patch = render(frame, warp, parameters.luminance)
        if class_of(int(np.count_nonzero(pasted.bits)), spec.size, wanted, spec.closed):
            break
    else:
        return None
    box, opaque = pasted.box, False
    if spec.jpeg_quality is not None:
        box, opaque = Box(0, 0, spec.size, spec.size), True
        patch = _saved(canvas.read(candidate.background), patch, pasted, spec.jpeg_quality)
    ids = plan.source.index
    return Composite(
        index=candidate.number,
        donor_id=int(ids.picture_id[candidate.donor]),
        background_id=int(ids.picture_id[candidate.background]),
        annotation_id=int(ids.annotation_id[candidate.annotation]),
        difficulty=instance.difficulty,
        parameters=parameters,
        donor_mask=instance.region,
        probe_mask=pasted,
        patch_box=box,
        patch=patch,
        opaque=opaque,
    )


def _saved(background: Pixels, patch: Pixels, pasted: Region, quality: int) -> Pixels:
    whole = background.copy()
    np.copyto(whole[pasted.box.slices], patch, where=pasted.bits[..., None])
    return jpeg_of(whole, quality)
