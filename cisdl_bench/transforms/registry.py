"""The transformations by their name in a spec: every module of this package that has one."""

import importlib
import pkgutil

from cisdl_bench import transforms
from cisdl_bench.transforms.base import Parameter, Transformation

for _module in pkgutil.iter_modules(transforms.__path__):
    importlib.import_module(f"{transforms.__name__}.{_module.name}")

TRANSFORMATIONS: dict[str, type[Transformation]] = {
    kind.name: kind for kind in sorted(Transformation.__subclasses__(), key=lambda kind: kind.name)
}


def all_parameters() -> dict[str, Parameter]:
    """Return the parameters of all transformations by their column's name.

    >>> all_parameters()["scale"].neutral
    1.0
    """
    return {each.name: each for kind in TRANSFORMATIONS.values() for each in kind.parameters}
