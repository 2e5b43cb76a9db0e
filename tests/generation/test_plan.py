import pickle
from pathlib import Path

import numpy as np
import pytest
from conftest import change_coco, write_coco
from scipy import stats

from cisdl_bench.errors import SourceError
from cisdl_bench.generation.plan import DrawnPlan
from cisdl_bench.sources.coco import CocoSource, open_coco
from cisdl_bench.specs import load_spec


@pytest.fixture
def plan(source: CocoSource) -> DrawnPlan:
    return DrawnPlan(load_spec("training"), 0, source, "all")


def described(plan: DrawnPlan, n: int) -> list[tuple]:
    return [tuple(candidate[:5]) for candidate in plan.candidates(0, n)]


def test_the_same_candidates_in_any_order_and_after_pickling(plan: DrawnPlan) -> None:
    expected = described(plan, plan.total)
    again = pickle.loads(pickle.dumps(plan))
    assert [
        tuple(again.candidates(k, k + 1)[0][:5]) for k in reversed(range(plan.total))
    ] == expected[::-1]
    assert pickle.loads(pickle.dumps(plan)) is again  # a worker keeps it


def test_seed_set_and_difficulty_change_them(source: CocoSource) -> None:
    plans = [
        DrawnPlan(load_spec("rotation"), 0, source, "normal"),
        DrawnPlan(load_spec("rotation"), 1, source, "normal"),
        DrawnPlan(load_spec("scale"), 0, source, "normal"),
        DrawnPlan(load_spec("rotation"), 0, source, "difficult"),
    ]
    assert len({tuple(c[1:4] for c in described(plan, 10)) for plan in plans}) == 4


def test_training_visits_every_picture_five_times_in_a_row(plan: DrawnPlan) -> None:
    assert plan.total == 5 * 14
    donors = [candidate[1] for candidate in described(plan, plan.total)]
    assert sorted(donors) == sorted(list(range(14)) * 5)
    assert all(len(set(donors[k : k + 5])) == 1 for k in range(0, 70, 5))


def test_a_test_set_takes_every_picture_once_a_pass(source: CocoSource) -> None:
    plan = DrawnPlan(load_spec("rotation"), 0, source, "normal")
    donors = [candidate[1] for candidate in described(plan, 28)]
    assert sorted(donors[:14]) == sorted(donors[14:]) == list(range(14))
    assert donors[:14] != donors[14:]
    assert plan.total == 1400


def test_pictures_are_those_of_the_candidates(plan: DrawnPlan) -> None:
    for start, stop in ((0, 70), (3, 4), (5, 22), (69, 70)):
        needed = set(plan.pictures(start, stop).tolist())
        named = {p for candidate in plan.candidates(start, stop) for p in candidate[1:3]}
        assert named <= needed
        assert needed <= set(range(14))


def test_backgrounds_are_even_and_never_of_the_donors_group(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco", count=8)

    def group(table: dict) -> None:
        for image in table["images"][:3]:
            image["group"] = 1

    change_coco(root, group)
    source = open_coco(root, "val", tmp_path / "index")
    plan = DrawnPlan(load_spec("rotation"), 0, source, "normal")
    counts = np.zeros((8, 8), dtype=int)
    for _, donor, background, *_ in plan.candidates(0, 8 * 90):
        counts[donor, background] += 1
    assert not counts[:3, :3].any()
    assert not counts.diagonal().any()
    assert stats.chisquare(counts[0, 3:]).pvalue > 1e-3
    others = [k for k in range(8) if k != 5]
    assert stats.chisquare(counts[5, others]).pvalue > 1e-3


def test_one_scene_alone_is_refused(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco", count=1)
    source = open_coco(root, "val", tmp_path / "index")
    plan = DrawnPlan(load_spec("rotation"), 0, source, "normal")
    with pytest.raises(SourceError, match="expected pictures of at least two scenes"):
        plan.candidates(0, 1)


def test_only_instances_whose_area_may_fit_are_chosen(source: CocoSource) -> None:
    share = source.index.area_frac()
    for difficulty, low, high in (("difficult", 0.009, 0.11), ("easy", 0.225, 0.55)):
        plan = DrawnPlan(load_spec("rotation"), 0, source, difficulty)
        chosen = {candidate[3] for candidate in described(plan, 60)}
        assert all(low <= share[a] <= high for a in chosen)
        assert len(chosen) == 14
