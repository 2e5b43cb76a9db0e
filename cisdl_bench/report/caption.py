"""A pair in words."""

from pathlib import Path

from cisdl_bench.pairs import Pair
from cisdl_bench.transforms.base import Parameter
from cisdl_bench.transforms.registry import all_parameters

_UNITS = {"px": "px", "deg": "degrees"}


def describe_pair(pair: Pair) -> str:
    """Return a pair's kind, the share of its region, and how that was transformed, in words."""
    numbers = pair.numbers
    if "difficulty" not in numbers:
        names = [Path(str(numbers.get(side, ""))).name for side in ("probe", "donor")]
        return f"{pair.kind}: {' and '.join(names)}"
    if pair.label == 0:
        return f"{pair.kind}: the pictures share nothing"
    share = float(numbers["probe_area_px"]) / pair.probe_mask.size
    parts = [f"{pair.kind}, {numbers['difficulty']}: region {share:.1%} of the probe"]
    for name, parameter in all_parameters().items():
        value = float(numbers.get(name, parameter.neutral))
        if parameter.caption and value != parameter.neutral:
            parts.append(describe_parameter(parameter, value))
    return ", ".join(parts)


def describe_parameter(parameter: Parameter, value: float) -> str:
    """Return a parameter with its value and unit in words.

    >>> describe_parameter(all_parameters()["rotation_deg"], 23.4)
    'rotation +23.4 degrees'
    >>> describe_parameter(all_parameters()["shift_x_px"], -125)
    'shift x -125 px'
    >>> describe_parameter(all_parameters()["flip_x"], 1)
    'left and right exchanged'
    """
    if "{" not in parameter.caption:  # on or off
        return parameter.title or parameter.caption
    if parameter.title:
        title, _, unit = parameter.title.partition(", ")
    else:
        words = parameter.name.split("_")
        unit = _UNITS.get(words[-1], "")
        title = " ".join(words[:-1] if unit else words)
    signed = "+" if parameter.low < 0 else ""
    return f"{title} {value:{signed}.3g} {unit}".strip()
