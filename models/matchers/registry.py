"""Matchers by their names: ``matcher:NAME`` is each as a detector.

A new one is a class with ``match`` in a file beside this one and an entry in ``MATCHERS``; its
parameters, where it has any, are a table of ``data_specs/detectors/matcher.toml``. Classes are
named by their place, ``module:name``, so that reading this table imports none of them.
"""

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from cisdl_bench.by_name import load_by_name
from cisdl_bench.errors import ModelError
from cisdl_bench.models.classical.parameters import read_parameters
from cisdl_bench.models.classical.ransac import MapKind
from cisdl_bench.models.matchers.matcher import Matcher
from cisdl_bench.models.matchers.method import MatcherMethod
from cisdl_bench.models.matchers.regions import RegionFinder

PREFIX = "matcher:"
VISMATCH = "vismatch/"
_HERE = "cisdl_bench.models.matchers"
#: What may follow a matcher's name, and the kind of map that it asks for.
MAPS: dict[str, MapKind] = {"": "affine", "@affine": "affine", "@homography": "homography"}


@dataclass(frozen=True)
class MatcherSpec:
    """An entry of the table.

    Attributes:
        place: Function or class that makes it from its parameters, ``module:name``.
        needs_device: Whether it computes with torch on a device.
    """

    place: str
    needs_device: bool = False


MATCHERS: dict[str, MatcherSpec] = {
    "sift": MatcherSpec(f"{_HERE}.opencv:make_sift"),
    "orb": MatcherSpec(f"{_HERE}.opencv:make_orb"),
    "akaze": MatcherSpec(f"{_HERE}.opencv:make_akaze"),
    "loftr": MatcherSpec(f"{_HERE}.of_kornia:make_loftr", needs_device=True),
    "disk-lightglue": MatcherSpec(f"{_HERE}.of_kornia:make_disk_lightglue", needs_device=True),
}


def matcher_names() -> list[str]:
    """Return what users type for the matchers of the table.

    >>> "matcher:orb" in matcher_names()
    True
    """
    return [f"{PREFIX}{name}" for name in MATCHERS]


def run_name(text: str) -> str:
    """Return the name that results of ``matcher:NAME`` are filed under, without colon and slash.

    >>> run_name("matcher:vismatch/sift-nn")
    'matcher.vismatch.sift-nn'
    """
    return text.replace(":", ".").replace("/", ".")


def needs_device(text: str) -> bool:
    """Return whether ``matcher:NAME`` computes with torch on a device.

    >>> needs_device("matcher:orb"), needs_device("matcher:vismatch/roma")
    (False, True)
    """
    name = text.removeprefix(PREFIX).partition("@")[0]
    return name.startswith(VISMATCH) or MATCHERS[name].needs_device


def make_matcher_method(text: str) -> MatcherMethod:
    """Return ``matcher:NAME`` or ``matcher:NAME@homography`` as a method.

    Args:
        text: Name as the user typed it, beginning with ``matcher:``.

    Raises:
        ModelError: There is no matcher of that name, or what it needs is not installed.
    """
    name, at, kind = text.removeprefix(PREFIX).partition("@")
    if at + kind not in MAPS:
        what = "a map after the @, affine or homography"
        raise ModelError.expected(text, what, repr(kind), "Write one of them")
    table = read_parameters("matcher")
    regions = replace(RegionFinder(**table["regions"]), map=MAPS[at + kind])
    matcher: Any
    if name.startswith(VISMATCH):
        from cisdl_bench.models.matchers.of_vismatch import make_vismatch

        matcher = make_vismatch(name.removeprefix(VISMATCH))
    elif name in MATCHERS:
        matcher = load_by_name(MATCHERS[name].place)(**table.get(name, {}))
    else:
        raise _unknown_error(text, name)
    return MatcherMethod(run_name(text), _identify(text, matcher), matcher, regions)


def _identify(text: str, matcher: Matcher) -> str:
    """Return the identity: all parameters, and the weights where there are any."""
    parameters = read_parameters("matcher")["identity"]
    weights = getattr(matcher, "identity", "")
    return f"{text} {parameters}{f' {weights}' if weights else ''}"


def _unknown_error(text: str, name: str) -> ModelError:
    names = [*MATCHERS, f"{VISMATCH}NAME"]
    near = [known for known in MATCHERS if name and (name in known or known in name)]
    near = near or get_close_matches(name.casefold(), MATCHERS, n=2, cutoff=0.5)
    then = f"Did you mean {' or '.join(PREFIX + known for known in near)}" if near else "Write one"
    return ModelError.expected(
        text, f"a matcher: {', '.join(names)}", repr(name) if name else "no name", then
    )
