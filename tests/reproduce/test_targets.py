"""Targets: every key is checked, and what is wrong is named."""

import pytest
from reproduce.conftest import TARGET

from cisdl_bench.errors import SpecError
from cisdl_bench.reproduce.subjects import find_subjects, order_experiments, other_names
from cisdl_bench.reproduce.targets import choose_rows, load_target, parse_target


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("version = 1", "version = 0", "t.toml: version: expected "),
        ('layout = "paper-1"', 'layout = "paper-9"', "t.toml: layout: expected one of paper-1"),
        ('training = "', 'trainings = "', "trainings. Did you mean training"),
        ('method = "DMVN"', 'method = "DMVM"', "rows.dmvn: method: .* Did you mean DMVN"),
        ('model = "dmvn"', "", "rows.dmvn: a row needs one of"),
        ('model = "dmvn"', 'model = "a"\ndetector = "b"', "rows.dmvn: a row needs one of"),
        ('sets = ["combination.toml"]\ntr', "tr", "needs `sets` or `list_format`"),
        ("times = 3", "times = 0", "t.toml: evaluation: times: expected 1 to 1,000"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, text: str) -> None:
    assert old in TARGET
    with pytest.raises(SpecError, match=text):
        parse_target(TARGET.replace(old, new, 1), "t.toml")


def test_an_unknown_target_is_answered_with_the_nearest() -> None:
    with pytest.raises(SpecError, match="Did you mean table-2"):
        load_target("tabel-2")


def test_a_word_for_rows_is_a_name_an_experiment_or_another_name_of_it() -> None:
    also = other_names()
    third = load_target("table-3")
    assert list(choose_rows(third, ("dmac-adv",), also)) == ["dmac-adv"]
    assert list(choose_rows(third, ("dmvn",), also)) == ["dmvn-loc", "dmvn-det"]
    assert len(choose_rows(third, (), also)) == 10
    first = load_target("table-1")
    assert list(choose_rows(first, ("dmac-adv", "dmac"), also)) == [
        "dmac",
        "adv-bce-0.01-0.01-1e-5",
    ]


def test_experiments_come_after_those_that_they_build_on() -> None:
    third = load_target("table-3")
    rows = choose_rows(third, ("dmac-adv-det-dagger",), other_names())
    ordered = order_experiments(find_subjects(third, rows, {}), {})
    assert [one.name for one in ordered] == ["dmac", "adv-bce-0.01-0.01-1e-5", "adv-det-dagger"]
