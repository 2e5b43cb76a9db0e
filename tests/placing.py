"""Maps and places of named parameters, by the transformations of the combination set."""

from dataclasses import replace

import numpy as np

from cisdl_bench.generation.draw import Placement, composed_matrix
from cisdl_bench.generation.outline import find_outline, transformed_extent
from cisdl_bench.records import cut_region
from cisdl_bench.specs import SetSpec, load_spec
from cisdl_bench.transforms.matrix import Matrix


def spec_for(name: str, size: int) -> SetSpec:
    return replace(load_spec(name), size=size)


def values(spec: SetSpec, **named: float) -> tuple[float, ...]:
    """A value of each parameter: those named, the others neutral."""
    assert set(named) <= set(spec.parameters)
    return tuple(named.get(name, parameter.neutral) for name, parameter in spec.parameters.items())


def matrix_by(size: int, name: str = "combination", **named: float) -> Matrix:
    spec = spec_for(name, size)
    return composed_matrix(spec, values(spec, **named))


def place(mask: np.ndarray, name: str = "combination", **named: float) -> Placement:
    """Where named parameters put a region, on the canvas or not."""
    spec = spec_for(name, len(mask))
    parameters = values(spec, **named)
    matrix = composed_matrix(spec, parameters)
    extent = transformed_extent(find_outline(cut_region(mask)).points[:, :, None], matrix)
    return Placement(parameters, matrix, tuple(float(side[0]) for side in extent))
