"""Pairs of which somebody does not know the truth: refused, or left out and counted."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Heard
from lists import write_plain
from training.conftest import small
from training.test_run import FAST, Ears

from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.errors import RunError
from cisdl_bench.store.importing import import_pairs
from cisdl_bench.store.torch_view import PairDataset
from cisdl_bench.training.epoch_order import Draw
from cisdl_bench.training.feed import augment
from cisdl_bench.training.kinds import count_unlabelled, find_kinds
from cisdl_bench.training.run import train


def imported(folder: Path, change: dict[int, dict[str, str]]) -> Path:
    """Import a list of two positive pairs and a negative one, some cells of its rows changed."""
    path = write_plain(folder / "data")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for number, cells in change.items():
        rows[number].update(cells)
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    import_pairs(open_list(path, ListOptions(size=64), Heard()), folder / "sets", Heard(), jobs=1)
    return folder / "sets" / "pairs"


NO_MASKS = {"probe_mask": "", "donor_mask": ""}
CASES = [
    ({0: NO_MASKS}, "1 of 3 without, such as pairs/0 has no mask of its probe and donor"),
    ({1: {"donor_mask": ""}}, "1 of 3 without, such as pairs/1 has no mask of its donor"),
    ({0: {"label": "", **NO_MASKS}, 1: NO_MASKS}, "2 of 3 without, such as pairs/0 has no label"),
]


@pytest.mark.parametrize(("change", "message"), CASES)
@pytest.mark.parametrize("name", ["dmac", "dmac-adv"])
def test_refused_before_anything_is_written(
    tmp_path: Path, change: dict[int, dict[str, str]], message: str, name: str
) -> None:
    data, out = imported(tmp_path, change), tmp_path / "out"
    with pytest.raises(RunError, match=f"{data}: .*{message}. Leave them out with --skip-unlab"):
        train(small(name, batch=2), [data], out, FAST, Ears())
    assert not out.exists()


@pytest.mark.parametrize(("change", "message"), CASES)
def test_left_out_they_are_not_seen_and_counted(
    tmp_path: Path, change: dict[int, dict[str, str]], message: str
) -> None:
    data, out, ears = imported(tmp_path, change), tmp_path / "out", Ears()
    choices = replace(FAST, skip_unlabelled=True)
    record = train(small("dmac", batch=2, epochs=1), [data], out, choices, ears)
    count = int(message[0])
    said = f"{count} of 3 pairs left out: no label or true mask"
    assert record["notes"] == [said]
    assert f"note: {said}" in ears.lines
    assert record["request"]["unlabelled_left_out"] == count
    assert record["steps"] == 1  # of two pairs; all three make an epoch of two steps
    places = np.concatenate(find_kinds(PairDataset([data]), skip_unlabelled=True))
    assert sorted(places) == [n for n in range(3) if n not in change]
    whole = np.concatenate(find_kinds(PairDataset([data])))
    assert sorted(whole) == [0, 1, 2]


def test_a_negative_pair_needs_no_masks_and_known_is_in_the_batch(tmp_path: Path) -> None:
    data = imported(tmp_path, {1: {"donor_mask": ""}})
    dataset = PairDataset([data])
    assert count_unlabelled(dataset) == (1, "pairs/1 has no mask of its donor")
    batch = dataset.__getitems__([2, 1, 0])
    assert batch["known"].dtype == torch.bool
    assert batch["known"].tolist() == [[True, True], [True, False], [True, True]]
    yes = np.array([False, True, True])
    swapped = augment(batch, Draw(yes, np.zeros(3, dtype=bool), yes))
    assert swapped["known"].tolist() == [[True, True], [False, True], [True, True]]


def test_nothing_left_is_refused(tmp_path: Path) -> None:
    data = imported(tmp_path, {n: {"label": "", **NO_MASKS} for n in range(3)})
    choices = replace(FAST, skip_unlabelled=True)
    with pytest.raises(RunError, match="3 of 3 without.*Give their masks and labels"):
        train(small("dmac", batch=2), [data], tmp_path / "out", choices, Ears())


def test_a_set_of_no_pairs_is_refused(pairs64: Path, tmp_path: Path) -> None:
    class None_(type(PairDataset([pairs64]).sets[0])):  # noqa: N801
        def __len__(self) -> int:
            return 0

    empty = None_(pairs64)
    with pytest.raises(RunError, match=f"{pairs64}: expected pairs to learn from, got none"):
        train(small("dmac"), [pairs64, empty], tmp_path / "out", FAST, Ears())
    assert not (tmp_path / "out").exists()
