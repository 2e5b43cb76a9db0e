"""Who is best on what: by hand-made results whose values are known."""

from pathlib import Path

import numpy as np
import pytest
from results_by_hand import write_run

from cisdl_bench.report.methods import gathered, order_sets, split_set
from cisdl_bench.report.verdict import rank_by_set, rank_methods


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Three methods on three sets: good and fair are apart on the first, equal on the second."""
    quality = {
        "good": {"raw-easy": 0.9, "raw-normal": 0.5, "mixed": 0.8},
        "fair": {"raw-easy": 0.6, "raw-normal": 0.5, "mixed": 0.9},
        "poor": {"raw-easy": 0.1, "raw-normal": 0.1},
    }
    return [write_run(tmp_path / name, sets, pairs=30) for name, sets in quality.items()]


def test_the_best_method_of_each_set_and_whether_it_leads_clearly(runs: list[Path]) -> None:
    results, names = gathered(runs)
    standings = {
        standing.set: standing for standing in rank_by_set(results, names) if not standing.detection
    }
    assert list(standings) == ["raw-normal", "raw-easy", "mixed"]
    easy = standings["raw-easy"]
    assert [entry.method for entry in easy.entries] == ["good", "fair", "poor"]
    assert easy.pairs == 30
    assert easy.clear
    assert easy.lead.difference == pytest.approx(
        easy.entries[0].value - easy.entries[1].value, abs=1e-9
    )
    assert not standings["raw-normal"].clear
    assert standings["mixed"].entries[0].method == "fair"
    assert len(standings["mixed"].entries) == 2


def test_methods_are_ordered_over_the_sets_that_all_have(runs: list[Path]) -> None:
    results, names = gathered(runs)
    places, common = rank_methods(results, names, rank_by_set(results, names))
    assert common == 2  # mixed lacks one method
    assert [place.method for place in places] == ["good", "fair", "poor"]
    assert sum(place.wins for place in places) == 3
    good = [r.record["summary"]["iou"] for r in results if r.path.parent == runs[0]]
    sets = [r.set for r in results if r.path.parent == runs[0]]
    expected = np.mean([value for value, name in zip(good, sets, strict=True) if name != "mixed"])
    assert places[0].means["IoU"] == pytest.approx(expected)


def test_detection_is_ranked_where_there_are_both_labels(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / name, {"mixed": value}, pairs=40, negatives=20)
        for name, value in (("a", 0.3), ("b", 0.9))
    ]
    results, names = gathered(runs)
    (standing,) = [s for s in rank_by_set(results, names) if s.detection]
    assert standing.metric == "AUC"
    assert standing.pairs == 40
    values = [entry.value for entry in standing.entries]
    assert values == sorted(values, reverse=True)


def test_sets_of_one_name_with_other_pairs_stand_apart(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / name, {"raw-easy": 0.5}, fingerprint=digit * 64)
        for name, digit in (("a", "1"), ("b", "2"))
    ]
    results, names = gathered(runs)
    standings = rank_by_set(results, names)
    assert [standing.set for standing in standings] == [
        "raw-easy (111111111111)",
        "raw-easy (222222222222)",
    ]
    assert all(standing.lead is None and not standing.clear for standing in standings)


def test_sets_are_ordered_by_family_and_difficulty(tmp_path: Path) -> None:
    sets = dict.fromkeys(("mine", "shift-easy", "raw-easy", "raw-difficult", "x-easy"), 0.5)
    results, _ = gathered([write_run(tmp_path / "a", sets, pairs=4)])
    assert order_sets(results) == ["raw-difficult", "raw-easy", "shift-easy", "mine", "x-easy"]
    assert split_set("x-easy") == ("x", "easy")
    assert split_set("-easy") == ("-easy", "")
