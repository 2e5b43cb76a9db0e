"""A pair in words."""

from pathlib import Path

from cisdl_bench.pairs import Pair
from cisdl_bench.transforms.registry import all_parameters


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
            parts.append(parameter.caption.format(value))
    return ", ".join(parts)
