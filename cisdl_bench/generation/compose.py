"""From candidates to composites: instance, place, rendering."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import numpy as np

from cisdl_bench.generation.draw import (
    Placement,
    PlacementRequest,
    area_class,
    draw_placements,
)
from cisdl_bench.generation.instance import Canvas, Instance, find_instance
from cisdl_bench.generation.layers import change_pixels, is_layered
from cisdl_bench.generation.paint import paint_composite
from cisdl_bench.generation.plan import Candidate, Plan
from cisdl_bench.generation.render import cut_out, framed, plan_warp, render
from cisdl_bench.records import Box, Composite, Pixels
from cisdl_bench.transforms.jpeg import saved_as_jpeg

_TOGETHER = 128  # candidates whose first draws are computed at once


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
    make = paint_composite if is_layered(spec) else compose
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
                candidate.own_parameters(spec),
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
            composite = make(plan, candidate, instance, next(placements), frame, canvas)
            if spec.further is not None:
                framed_donor = framed_annotation = -1  # the frame was used for another donor
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
                known[candidate.annotation] = find_instance(
                    plan, donor, candidate.annotation, plan.spec.classes(candidate.difficulty)
                )
            instance = known[candidate.annotation]
            yield instance if isinstance(instance, str) else (candidate, instance)


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
        pasted, patch = render(frame, warp, partial(change_pixels, spec, placement.parameters))
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
