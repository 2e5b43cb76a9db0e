"""Composites in layers: blended regions, several regions, and what changes the whole picture."""

from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np

from cisdl_bench.generation.draw import (
    Placement,
    PlacementRequest,
    area_class,
    draw_placements,
)
from cisdl_bench.generation.instance import Canvas, Instance, find_instance
from cisdl_bench.generation.layers import Painting
from cisdl_bench.generation.plan import Candidate, Plan
from cisdl_bench.generation.render import cut_out, framed
from cisdl_bench.records import Box, Composite, Mask, Pixels, cut_region
from cisdl_bench.transforms.base import Layer

_MOST_RENDERED = 64  # placements of a further region that are looked at for an overlap

Classes = Mapping[str, tuple[float, float]]


def paint_composite(
    plan: Plan,
    candidate: Candidate,
    instance: Instance,
    placements: Iterator[Placement],
    frame: Pixels,
    canvas: Canvas,
) -> Composite | None:
    """Return one candidate's composite, painted region by region; None where no placement does.

    Args:
        plan: The set's candidates.
        candidate: Donor, background, annotation, and further regions.
        instance: The annotation's region in the donor.
        placements: Places of the first region to try in turn.
        frame: The donor from ``framed``, the instance cut out; used for further regions too.
        canvas: The source's pictures.
    """
    spec, index = plan.spec, plan.source.index
    painting = Painting(spec, canvas.read(candidate.background))
    taken: Mask = np.zeros((spec.size, spec.size), dtype=bool)
    own_class = {instance.difficulty: spec.areas[instance.difficulty]}
    first = _place(plan, painting, frame, placements, own_class, taken)
    if first is None:
        return None
    parameters = list(first.parameters)
    probe_mask, donor_mask = taken.copy(), instance.region.on_canvas(spec.size)
    for number, (donor, annotation) in enumerate(candidate.further, start=2):
        classes = {"further": spec.further_range(candidate.difficulty)}
        further = find_instance(plan, donor, annotation, classes)
        if isinstance(further, str):
            return None
        same = donor == candidate.donor
        if same and (donor_mask[further.region.box.slices] & further.region.bits).any():
            return None  # what two instances share would be pasted twice
        request = PlacementRequest(
            candidate.number,
            candidate.difficulty,
            further.outline,
            classes["further"],
            candidate.own_parameters(spec, number),
        )
        frame = framed(canvas.read(donor))
        cut_out(frame, further.region)
        places = islice(draw_placements(spec, plan.seed, [request], number)[0], _MOST_RENDERED)
        placement = _place(plan, painting, frame, places, classes, taken)
        if placement is None:
            return None
        ids = float(index.picture_id[donor]), float(index.annotation_id[annotation])
        parameters += [*ids, *placement.parameters]
        if same:
            probe_mask |= taken
            donor_mask |= further.region.on_canvas(spec.size)
    painting.finish(first)
    pasted = cut_region(probe_mask.view(np.uint8))
    box, patch, opaque = painting.patch(pasted)
    return Composite(
        index=candidate.number,
        donor_id=int(index.picture_id[candidate.donor]),
        background_id=int(index.picture_id[candidate.background]),
        annotation_id=int(index.annotation_id[candidate.annotation]),
        difficulty=instance.difficulty,
        parameters=dict(zip(spec.parameters, parameters, strict=True)),
        donor_mask=cut_region(donor_mask.view(np.uint8)),
        probe_mask=pasted,
        patch_box=box,
        patch=patch,
        opaque=opaque,
    )


def _place(
    plan: Plan,
    painting: Painting,
    frame: Pixels,
    placements: Iterator[Placement],
    classes: Classes,
    taken: Mask,
) -> Placement | None:
    """Put a region where it first fits its class and overlaps none, and mark it as taken."""
    spec = plan.spec
    for placement in placements:
        layer, box = painting.prepare(frame, placement)
        area_px = int(np.count_nonzero(layer.inside))
        if area_class(area_px, spec.size, classes, spec.closed) is None:
            continue
        if _overlaps(layer, box, taken):
            continue
        painting.paste(layer, box, placement)
        taken[box.slices] |= layer.inside
        return placement
    return None


def _overlaps(layer: Layer, box: Box, taken: Mask) -> bool:
    return bool((taken[box.slices] & layer.inside).any())
