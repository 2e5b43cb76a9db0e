"""From candidates to composites: instance, place, rendering."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

from cisdl_bench.generation.draw import (
    Placement,
    PlacementRequest,
    area_class,
    draw_placements,
    split_parameters,
)
from cisdl_bench.generation.outline import Outline, find_outline
from cisdl_bench.generation.plan import Candidate, Plan
from cisdl_bench.generation.render import cut_out, framed, plan_warp, render, saved_as_jpeg
from cisdl_bench.records import Box, Composite, Pixels, Region
from cisdl_bench.specs import SetSpec

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
        region: Mask of the instance.
        outline: Hull and area of the mask.
        difficulty: Class of the area.
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
        start: Number of the first candidate.
        stop: Number one behind the last candidate.
        canvas: The source's pictures.
        limit: Number of composites to stop after; None: all of the range.

    Returns:
        The composites, counts by reason refused, and the first candidate not looked at.
    """
    spec = plan.spec
    composites: list[Composite] = []
    refused = Counter[str]()
    framed_donor = framed_annotation = -1
    frame = np.zeros((0, 0, 4), dtype=np.uint8)
    for low in range(start, stop, _TOGETHER):
        high = min(low + _TOGETHER, stop)
        instances = list(_instances(plan, plan.candidates(low, high), canvas))
        requests = [
            PlacementRequest(
                candidate.number,
                candidate.difficulty,
                instance.outline,
                spec.areas[instance.difficulty],
                candidate.parameters,
            )
            for candidate, instance in (pair for pair in instances if not isinstance(pair, str))
        ]
        placements = iter(draw_placements(spec, plan.seed, requests))
        for number, pair in zip(range(low, high), instances, strict=True):
            if len(composites) == limit:
                return composites, refused, number
            if isinstance(pair, str):
                refused[pair] += 1
                continue
            candidate, instance = pair
            if candidate.donor != framed_donor:
                frame = framed(canvas.read(candidate.donor))
            if (candidate.donor, candidate.annotation) != (framed_donor, framed_annotation):
                cut_out(frame, instance.region)
                framed_donor, framed_annotation = candidate.donor, candidate.annotation
            composite = compose(plan, candidate, instance, next(placements), frame, canvas)
            if composite is None:
                refused[f"no admissible parameters in {spec.max_tries} tries"] += 1
            else:
                composites.append(composite)
    return composites, refused, stop


def _instances(
    plan: Plan, candidates: list[Candidate | str], canvas: Canvas
) -> Iterator[tuple[Candidate, Instance] | str]:
    """Yield candidates with their instances, or the reasons why they are refused.

    Each instance is drawn once for all candidates in a row that have it.
    """
    donor = -1
    known: dict[int, Instance | str] = {}
    for candidate in candidates:
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
    outline = find_outline(region)
    classes = spec.classes(candidate.difficulty)
    difficulty = area_class(outline.area_px, spec.size, classes, spec.closed)
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
        candidate: Donor, background and annotation.
        instance: The annotation's region in the donor.
        placements: Places to try in turn.
        frame: The donor from ``framed``, the instance cut out.
        canvas: The source's pictures.
    """
    spec = plan.spec
    own_class = {instance.difficulty: spec.areas[instance.difficulty]}
    for placement in placements:
        warp = plan_warp(placement.matrix, placement.box, spec.size)
        pasted, patch = render(frame, warp, partial(_changed, spec, placement.parameters))
        if area_class(int(np.count_nonzero(pasted.bits)), spec.size, own_class, spec.closed):
            break
    else:
        return None
    box, opaque = pasted.box, False
    if spec.jpeg_quality is not None:
        box, opaque = Box(0, 0, spec.size, spec.size), True
        background = canvas.read(candidate.background).copy()
        np.copyto(background[pasted.box.slices], patch, where=pasted.bits[..., None])
        patch = saved_as_jpeg(background, spec.jpeg_quality)
    index = plan.source.index
    return Composite(
        index=candidate.number,
        donor_id=int(index.picture_id[candidate.donor]),
        background_id=int(index.picture_id[candidate.background]),
        annotation_id=int(index.annotation_id[candidate.annotation]),
        difficulty=instance.difficulty,
        parameters=dict(zip(spec.parameters, placement.parameters, strict=True)),
        donor_mask=instance.region,
        probe_mask=pasted,
        patch_box=box,
        patch=patch,
        opaque=opaque,
    )


def _changed(spec: SetSpec, parameters: tuple[float, ...], patch: Pixels) -> Pixels:
    """Return a patch after what the set's transformations do to pixels."""
    for transformation, values in split_parameters(spec, parameters):
        patch = transformation.repaint(patch, values)  # type: ignore[arg-type]
    return patch
