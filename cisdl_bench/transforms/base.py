"""What every transformation of a region is: its parameters, how they are drawn, what they do."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from msgspec import Meta

from cisdl_bench.errors import SpecError, cause
from cisdl_bench.records import Mask, Pixels
from cisdl_bench.transforms.matrix import IDENTITY, Entry, Floats, Matrix

Share = Annotated[float, Meta(ge=0, le=1)]


_MOST_FIRST = 16.0  # beyond it a donor resized first would take gigabytes


class Parameter(NamedTuple):
    """One number of a transformation, a column wherever pairs are listed.

    Attributes:
        name: Name of the column, with its unit, such as ``rotation_deg``.
        neutral: Value that changes nothing.
        low: Lowest value that any set may have.
        high: Highest value that any set may have.
        title: Label of an axis, such as ``rotation, degrees``; empty where no figure shows it.
        caption: Words of the value below a picture, such as ``scale {:.3g}``; empty: not shown.
    """

    name: str
    neutral: float
    low: float
    high: float
    title: str = ""
    caption: str = ""


class Layer(NamedTuple):
    """A region on the part of the canvas around it, before it is put onto the background.

    Attributes:
        pixels: The donor's pixels after the map, uint8 RGB (H, W, 3), outside the region too.
        inside: The region, bool (H, W): the true mask.
        alpha: Share of ``pixels`` in the composite, 255 for all, uint8 (H, W).
        under: The background's pixels, uint8 RGB (H, W, 3).
    """

    pixels: Pixels
    inside: Mask
    alpha: Pixels
    under: Pixels


@dataclass(frozen=True)
class Transformation(ABC):
    """One transformation with its settings, which are the keys of its table in a set's spec.

    A set applies its transformations in the order of its spec, about the canvas centre. What a
    subclass leaves out is as here: nothing moves and no pixel changes.

    Attributes:
        name: Key of its table in a spec, and of its random numbers.
        parameters: Numbers that describe one application.
        numbers: Number of uniform numbers that one draw of the parameters takes.
        version: Number that rises whenever the same settings would give other pictures.
        margin_px: Width of the border around a region's box that ``blend`` needs, px.
        probability: Share of composites that it is applied to, each on its own.
    """

    name: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]]
    numbers: ClassVar[int]
    version: ClassVar[int] = 1
    margin_px: ClassVar[int] = 0

    probability: Share

    def check(self, where: str) -> None:  # noqa: B027 - most have nothing to refuse
        """Refuse settings that do not go together.

        Args:
            where: Spec and table that an error names.

        Raises:
            SpecError: Two settings contradict each other.
        """

    @abstractmethod
    def sample(self, u: Floats, size: int) -> Floats:
        """Return drawn parameters, float64 (len(parameters), ...).

        Args:
            u: Uniform numbers from 0 to 1, float64 (numbers, ...).
            size: Side of the canvas in px.
        """

    def matrix(self, values: tuple[Entry, ...], size: int) -> Matrix:
        """Return the map in px about the canvas centre; see ``transforms.matrix``.

        Args:
            values: Parameters, numbers or arrays of one shape.
            size: Side of the canvas in px.
        """
        return IDENTITY

    def area_factor(self, values: tuple[Entry, ...]) -> Entry | None:
        """Return the factor of a region's area; None where it depends on the region.

        Args:
            values: Parameters, numbers or arrays of one shape.
        """
        return 1.0

    def change_pixels(self, patch: Pixels, values: tuple[float, ...]) -> Pixels:
        """Return a pasted region's pixels, uint8 RGB (H, W, 3), after the transformation.

        Args:
            patch: Pixels of the region's box, resampled already.
            values: Parameters of this application.
        """
        return patch

    def first_size(self, values: tuple[float, ...]) -> float:
        """Return the factor by which the donor is resized before it is mapped, 1 where it is not.

        Args:
            values: Parameters of this application.
        """
        return 1.0

    def blend(self, layer: Layer, values: tuple[float, ...]) -> Layer:
        """Return a region changed with regard to what it is put onto.

        Args:
            layer: The region, its pixels after ``change_pixels``.
            values: Parameters of this application.
        """
        return layer

    def finish(self, picture: Pixels, values: tuple[float, ...]) -> Pixels:
        """Return a composite, uint8 RGB (S, S, 3), after a change of the picture as a whole.

        Args:
            picture: The background with the regions in it, S the side of the canvas.
            values: Parameters of this application.
        """
        return picture

    def draw(self, u: Floats, size: int, *, thorough: bool = True) -> Floats:
        """Return what ``sample`` does, checked.

        Args:
            u: Uniform numbers from 0 to 1, float64 (numbers, ...).
            size: Side of the canvas in px.
            thorough: Whether every value is compared with its parameter's range.

        Raises:
            SpecError: It is of another shape, or a value is out of its parameter's range.
        """
        values = np.asarray(self.sample(u, size), dtype=np.float64)
        shape = (len(self.parameters), *u.shape[1:])
        if values.shape != shape:
            raise self.fault("sample", f"expected the shape {shape}, got {values.shape}")
        for row, parameter in zip(values, self.parameters, strict=True) if thorough else ():
            low, high = (row.min(), row.max()) if row.size else (parameter.low, parameter.high)
            if not (parameter.low <= low and high <= parameter.high):
                wanted = f"{parameter.low:g} to {parameter.high:g}"
                got = f"{low:g} to {high:g}"
                raise self.fault("sample", f"{parameter.name}: expected {wanted}, got {got}")
        return values

    def repaint(self, patch: Pixels, values: tuple[float, ...]) -> Pixels:
        """Return what ``change_pixels`` does, checked.

        Raises:
            SpecError: It is of another shape or type, or fails.
        """
        if type(self).change_pixels is Transformation.change_pixels:
            return patch
        return self._checked("change_pixels", self.change_pixels, patch, values)

    def refinish(self, picture: Pixels, values: tuple[float, ...]) -> Pixels:
        """Return what ``finish`` does, checked.

        Raises:
            SpecError: It is of another shape or type, or fails.
        """
        return self._checked("finish", self.finish, picture, values)

    def resize_first(self, values: tuple[float, ...]) -> float:
        """Return what ``first_size`` does, checked.

        Raises:
            SpecError: It is no factor above 0 and at most 16, or fails.
        """
        try:
            factor = float(self.first_size(values))
        except Exception as error:
            raise self.fault("first_size", error) from error
        if not 0 < factor <= _MOST_FIRST:
            what = f"expected a factor above 0, at most {_MOST_FIRST:g}, got {factor:g}"
            raise self.fault("first_size", what)
        return factor

    def reblend(self, layer: Layer, values: tuple[float, ...]) -> Layer:
        """Return what ``blend`` does, checked.

        Raises:
            SpecError: A part of it is of another shape or type, or it fails.
        """
        try:
            changed = self.blend(layer, values)
            types = [(part.shape, part.dtype) for part in changed]
        except Exception as error:
            raise self.fault("blend", error) from error
        if types != [(part.shape, part.dtype) for part in layer]:
            raise self.fault("blend", "expected arrays of the layer's shapes and types")
        return changed

    def _checked(
        self,
        method: str,
        change: Callable[[Pixels, tuple[float, ...]], Pixels],
        picture: Pixels,
        values: tuple[float, ...],
    ) -> Pixels:
        try:
            changed = change(picture, values)
            if changed.shape == picture.shape and changed.dtype == np.uint8:
                return changed
            got = f"{changed.dtype} {changed.shape}"
        except Exception as error:
            raise self.fault(method, error) from error
        raise self.fault(method, f"expected uint8 {picture.shape}, got {got}")

    def fault(self, method: str, what: str | Exception) -> SpecError:
        """Return the error of a transformation whose code is wrong.

        Args:
            method: Name of the method that is wrong.
            what: Description of the fault, or the exception that was raised.
        """
        said = _in_words(what) if isinstance(what, Exception) else what
        where = f"transformation {self.name}: {method}: {said}"
        return SpecError(f"{where}. Correct {type(self).__name__} in {type(self).__module__}.")


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {cause(error)}"
