"""A pair in words."""

from collections.abc import Mapping
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
    parts = [f"{pair.kind}, {numbers['difficulty']}: {_regions(numbers)} {share:.1%} of the probe"]
    for name, parameter in all_parameters().items():
        value = float(numbers.get(name, parameter.neutral))
        if parameter.caption and value != parameter.neutral:
            parts.append(parameter.caption.format(value))
    return ", ".join(parts)


def _regions(numbers: Mapping[str, float | int | str]) -> str:
    """Return what the masks show: one region, or several of the donor together."""
    donors = [float(value) for name, value in numbers.items() if name.startswith("donor_id_")]
    same = sum(donor == float(numbers["donor_id"]) for donor in donors)
    if same:
        return f"{same + 1} regions, together"
    return f"region, beside {len(donors)} of other pictures," if donors else "region"
