"""From candidates to composites: mask, parameters, rendering."""

from collections import Counter
from typing import Protocol

import numpy as np

from cisdl_bench.generate.draw import class_of
from cisdl_bench.generate.outline import outline_of
from cisdl_bench.generate.plan import Candidate, Plan
from cisdl_bench.generate.render import cut_out, framed, jpeg_of, plan_warp, render
from cisdl_bench.records import Box, Composite, Pixels, Region, region_of


class Canvas(Protocol):
    """A source's pictures on the canvas by their position."""

    def has(self, position: int) -> bool:
        """Say whether the picture can be used."""
        ...

    def read(self, position: int) -> Pixels:
        """Return the picture, uint8 RGB (size, size, 3); valid until the next is read."""
        ...


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
    at, donor = -1, None  # the framed donor of the candidates so far
    for number in range(start, stop):
        if len(composites) == limit:
            return composites, refused, number
        candidate = plan.candidate(number)
        if isinstance(candidate, str):
            refused[candidate] += 1
            continue
        if candidate.donor != at:
            at = candidate.donor
            donor = framed(canvas.read(at)) if canvas.has(at) else None
        made: Composite | str = "donor cannot be used"
        if donor is not None:
            made = compose(plan, candidate, donor, canvas)
        if isinstance(made, str):
            refused[made] += 1
        else:
            composites.append(made)
    return composites, refused, stop


def compose(plan: Plan, candidate: Candidate, donor: Pixels, canvas: Canvas) -> Composite | str:
    """Return one candidate's composite, or the reason why it is refused.

    Args:
        plan: The set's candidates.
        candidate: The one.
        donor: Its donor from ``framed``; its alpha is written over.
        canvas: The source's pictures.
    """
    spec, source = plan.spec, plan.source
    if not canvas.has(candidate.background):
        return "background cannot be used"
    mask = source.mask(candidate.annotation, candidate.donor, spec.size)
    region = region_of(mask)
    if not region.bits.size:
        return "instance covers no pixel of the canvas"
    outline = outline_of(region)
    difficulty = class_of(outline.area_px, spec.size, spec.classes(candidate.difficulty))
    if difficulty is None:
        return "instance's area on the canvas is in no class of the set"
    area_range = spec.areas[difficulty]
    cut_out(donor, mask)
    for placement in plan.placements(candidate, outline, area_range):
        parameters = placement.parameters
        warp = plan_warp(placement, spec.size)
        pasted, patch = render(donor, warp, parameters.luminance)
        area = int(np.count_nonzero(pasted.bits))
        if class_of(area, spec.size, {difficulty: area_range}):
            break
    else:
        return f"no admissible parameters in {spec.max_tries} tries"
    box, opaque = pasted.box, False
    if spec.composite_jpeg_quality is not None:
        box, opaque = Box(0, 0, spec.size, spec.size), True
        patch = _saved(
            canvas.read(candidate.background), patch, pasted, spec.composite_jpeg_quality
        )
    ids = source.index
    return Composite(
        index=candidate.number,
        donor_id=int(ids.picture_id[candidate.donor]),
        background_id=int(ids.picture_id[candidate.background]),
        annotation_id=int(ids.annotation_id[candidate.annotation]),
        difficulty=difficulty,
        parameters=parameters,
        donor_mask=region,
        probe_mask=pasted,
        patch_box=box,
        patch=patch,
        opaque=opaque,
    )


def _saved(background: Pixels, patch: Pixels, pasted: Region, quality: int) -> Pixels:
    whole = background.copy()
    np.copyto(whole[pasted.box.slices], patch, where=pasted.bits[..., None])
    return jpeg_of(whole, quality)
