"""The transformations by their name in a spec: every class of this package's modules."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator

from cisdl_bench import transforms
from cisdl_bench.errors import SpecError
from cisdl_bench.records import FIXED_COLUMNS
from cisdl_bench.transforms.base import Parameter, Transformation

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def collect(kinds: Iterable[type[Transformation]]) -> dict[str, type[Transformation]]:
    """Return transformations by name, after a look at what each says of itself.

    Raises:
        SpecError: A name or a column is missing, malformed, or used twice, or a parameter's range
            or caption does not fit its neutral value.
    """
    known: dict[str, type[Transformation]] = {}
    columns: dict[str, str] = {}
    for kind in sorted(kinds, key=lambda kind: kind.__qualname__):
        for problem in _problems(kind, known, columns):
            raise SpecError(f"{kind.__module__}: {kind.__name__}: {problem}. Correct that class.")
        known[kind.name] = kind
        columns.update(dict.fromkeys((parameter.name for parameter in kind.parameters), kind.name))
    return dict(sorted(known.items()))


def _problems(
    kind: type[Transformation], known: dict[str, type[Transformation]], columns: dict[str, str]
) -> Iterator[str]:
    lacking = [name for name in ("name", "parameters", "numbers") if not hasattr(kind, name)]
    if lacking:
        yield f"expected a class variable {lacking[0]}, got none"
    if not _NAME.fullmatch(kind.name):
        yield f"name: expected lower-case letters, digits and _, got {kind.name!r}"
    if kind.name in known:
        yield f"name: {kind.name} is the name of {known[kind.name].__name__}"
    for parameter in kind.parameters:
        column = parameter.name
        if not _NAME.fullmatch(column):
            yield f"parameters: expected lower-case letters, digits and _, got {column!r}"
        if column in FIXED_COLUMNS or column in columns:
            yield f"parameters: {column} is a column of {columns.get(column, 'every set')}"
        if not parameter.low <= parameter.neutral <= parameter.high:
            yield f"parameters: {column}: expected low <= neutral <= high"
        try:
            parameter.caption.format(float(parameter.neutral))
        except (ValueError, IndexError, KeyError) as error:
            yield f"parameters: {column}: caption: {error}"


def _all_kinds(kind: type[Transformation]) -> Iterator[type[Transformation]]:
    for below in kind.__subclasses__():
        if not inspect.isabstract(below):
            yield below
        yield from _all_kinds(below)


for _module in pkgutil.iter_modules(transforms.__path__):
    importlib.import_module(f"{transforms.__name__}.{_module.name}")

TRANSFORMATIONS = collect(dict.fromkeys(_all_kinds(Transformation)))  # type: ignore[type-abstract]


def all_parameters() -> dict[str, Parameter]:
    """Return the parameters of all transformations by their column's name.

    >>> all_parameters()["scale"].neutral
    1.0
    """
    return {
        parameter.name: parameter
        for kind in TRANSFORMATIONS.values()
        for parameter in kind.parameters
    }
