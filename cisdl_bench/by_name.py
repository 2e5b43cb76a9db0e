"""What a table of data names by its place in the code."""

from importlib import import_module
from typing import Any


def load_by_name(place: str) -> Any:
    """Return the function or class that ``module:name`` stands for, imported only now.

    Tables name what they hold so where reading the table must not import it: networks would
    bring torch, and a package may hold what builds on the package of the table.

    >>> load_by_name("math:gcd")(12, 18)
    6
    """
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
