"""Composites whose regions are blended with what they are put onto, or changed as a whole."""

from collections.abc import Sequence

import cv2
import numpy as np

from cisdl_bench.generation.draw import Placement, split_parameters
from cisdl_bench.generation.render import Warp, inside_of, plan_warp, resample
from cisdl_bench.records import Box, Pixels, Region, cut_region
from cisdl_bench.specs import SetSpec
from cisdl_bench.transforms.base import Layer, Transformation
from cisdl_bench.transforms.jpeg import saved_as_jpeg
from cisdl_bench.transforms.matrix import AFFINE, Matrix, product

_HOOKS = ("first_size", "blend", "finish")


def is_layered(spec: SetSpec) -> bool:
    """Return whether a set's composites need more than a region's pixels put onto a background.

    >>> from cisdl_bench.specs import load_spec
    >>> is_layered(load_spec("combination")), is_layered(load_spec("feather"))
    (False, True)
    """
    if spec.further is not None:
        return True
    kinds = {type(transformation) for transformation in spec.transformations.values()}
    plain = Transformation
    return any(getattr(kind, hook) is not getattr(plain, hook) for kind in kinds for hook in _HOOKS)


class Painting:
    """A composite in the making: regions are put onto it one after the other.

    Args:
        spec: The set's spec.
        background: Background picture, uint8 RGB (size, size, 3); copied.
    """

    def __init__(self, spec: SetSpec, background: Pixels) -> None:
        self._spec = spec
        self._background = background.copy()
        self.picture = background.copy()
        self._margin = max((t.margin_px for t in spec.transformations.values()), default=0)

    def prepare(self, frame: Pixels, placement: Placement) -> tuple[Layer, Box]:
        """Return a region as it would lie on the composite, and its box there.

        Args:
            frame: The donor from ``framed``, the instance cut out.
            placement: Place of the region.
        """
        spec = self._spec
        first = 1.0
        for transformation, values in split_parameters(spec, placement.parameters):
            first *= transformation.resize_first(values)  # type: ignore[arg-type]
        matrix, cutout = placement.matrix, frame
        if first != 1.0:
            cutout, matrix = _resized(frame, first, matrix)
        warp: Warp = plan_warp(matrix, placement.box, spec.size, self._margin)
        warped = resample(cutout, warp, cv2.BORDER_REPLICATE)
        inside = inside_of(warped)
        pixels = np.asarray(cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB), dtype=np.uint8)
        pixels = change_pixels(spec, placement.parameters, pixels)
        under = self.picture[warp.box.slices].copy()
        return Layer(pixels, inside, inside * np.uint8(255), under), warp.box

    def paste(self, layer: Layer, box: Box, placement: Placement) -> None:
        """Put a region onto the composite, blended as the set's transformations do.

        Args:
            layer: The region from ``prepare``.
            box: Its box.
            placement: Place of the region.
        """
        for transformation, values in split_parameters(self._spec, placement.parameters):
            layer = transformation.reblend(layer, values)  # type: ignore[arg-type]
        alpha = layer.alpha[..., None].astype(np.int32)
        mixed = layer.pixels * alpha + layer.under * (255 - alpha)
        self.picture[box.slices] = (mixed + 127) // 255

    def finish(self, placement: Placement) -> None:
        """Change the composite as a whole, as the first region's parameters and the set say.

        Args:
            placement: Place of the first region.
        """
        for transformation, values in split_parameters(self._spec, placement.parameters):
            self.picture = transformation.refinish(self.picture, values)  # type: ignore[arg-type]
        if self._spec.jpeg_quality is not None:
            self.picture = saved_as_jpeg(self.picture, self._spec.jpeg_quality)

    def patch(self, mask: Region) -> tuple[Box, Pixels, bool]:
        """Return what makes the background the composite: box, pixels, and if all of the box.

        Args:
            mask: The true mask of the composite.
        """
        changed = (self.picture != self._background).any(axis=2)
        if not np.count_nonzero(changed) > np.count_nonzero(changed[mask.box.slices] & mask.bits):
            pixels = np.where(mask.bits[..., None], self.picture[mask.box.slices], np.uint8(0))
            return mask.box, pixels, False
        box = cut_region((changed | mask.on_canvas(len(changed))).view(np.uint8)).box
        return box, np.ascontiguousarray(self.picture[box.slices]), True


def change_pixels(spec: SetSpec, parameters: Sequence[float], patch: Pixels) -> Pixels:
    """Return a region's pixels after what the set's transformations do to them alone.

    Args:
        spec: The set's spec.
        parameters: Values of the transformations' parameters.
        patch: Pixels of the region's box, uint8 RGB (H, W, 3).
    """
    for transformation, values in split_parameters(spec, parameters):
        patch = transformation.repaint(patch, values)  # type: ignore[arg-type]
    return patch


def _resized(frame: Pixels, factor: float, matrix: Matrix) -> tuple[Pixels, Matrix]:
    """Return a framed donor resized, and the map from its own coordinates to the composite's."""
    side = max(2, round(len(frame) * factor))
    # The one interpolation of OpenCV's that is exact in whole numbers.
    resized = cv2.resize(frame, (side, side), interpolation=cv2.INTER_LINEAR_EXACT)
    # A donor's coordinate u is u + 1 from the frame's corner, and grows by the factor from there.
    back = len(frame) / side
    shift = back - 1.0
    own: Matrix = ((back, 0.0, shift), (0.0, back, shift), AFFINE)
    return np.asarray(resized, dtype=np.uint8), product(matrix, own)
