"""Tables against dataclasses: what the specs' own tests do not reach."""

from dataclasses import dataclass

import pytest

from cisdl_bench.errors import SpecError
from cisdl_bench.validation import as_record


@dataclass(frozen=True)
class Plain:
    share: float
    weights: dict[str, float]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_without_a_range_is_finite(value: float) -> None:
    with pytest.raises(SpecError, match="mine: share: expected a finite number"):
        as_record({"share": value, "weights": {}}, Plain, "mine")
    with pytest.raises(SpecError, match="mine: weights: a: expected a finite number"):
        as_record({"share": 1, "weights": {"a": value}}, Plain, "mine")


def test_no_table_is_refused() -> None:
    with pytest.raises(SpecError, match="mine: expected a table"):
        as_record([1], Plain, "mine")
