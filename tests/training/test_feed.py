from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from cisdl_bench.store.opening import open_pairs
from cisdl_bench.store.torch_view import PairDataset
from cisdl_bench.training import feed as module
from cisdl_bench.training.epoch_order import Draw, EpochOrder
from cisdl_bench.training.feed import Part, augment, feed, make_target
from cisdl_bench.training.kinds import find_kinds


def test_batches_are_the_orders_pairs_mirrored_and_swapped(pairs64: Path) -> None:
    dataset, pairs = PairDataset([pairs64]), open_pairs(pairs64)
    order = EpochOrder(find_kinds(dataset), 0.5, 0.5, 1, "pairs")
    for number, batch in enumerate(islice(feed(dataset, order, Part(6), 0, "cpu"), 7)):
        draw = order.take(6 * number, 6)
        assert batch["index"].tolist() == draw.pairs.tolist()
        for k, (index, flip, swap) in enumerate(zip(*draw, strict=True)):
            pair = pairs[int(index)]
            sides = (("probe", pair.donor, pair.donor_mask), ("donor", pair.probe, pair.probe_mask))
            if not swap:
                sides = (("donor", *sides[0][1:]), ("probe", *sides[1][1:]))
            for side, picture, mask in sides:
                turn = (slice(None), slice(None, None, -1)) if flip else (slice(None), slice(None))
                assert np.array_equal(batch[side][k].permute(1, 2, 0).numpy(), picture[turn])
                assert np.array_equal(batch[f"{side}_mask"][k].numpy() != 0, mask[turn])
            assert batch["label"][k] == pair.label


@pytest.mark.parametrize(("ranks", "pieces"), [(1, 1), (2, 1), (1, 3), (3, 2)])
def test_parts_make_up_the_batch(pairs64: Path, ranks: int, pieces: int) -> None:
    dataset = PairDataset([pairs64])
    order = EpochOrder(find_kinds(dataset), 0.0, 0.0, 1, "pairs")
    seen = []
    for rank in range(ranks):
        part = Part(12, pieces, rank, ranks)
        seen += [b["index"] for b in islice(feed(dataset, order, part, 2, "cpu"), pieces)]
    assert torch.cat(seen).tolist() == order.take(24, 12).pairs.tolist()


def test_workers_bring_the_same(pairs64: Path) -> None:
    dataset = PairDataset([pairs64])
    order = EpochOrder(find_kinds(dataset), 0.5, 0.5, 1, "pairs")
    alone, helped = (list(islice(feed(dataset, order, Part(6), 1, "cpu", n), 3)) for n in (0, 1))
    for a, b in zip(alone, helped, strict=True):
        assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("workers", [0, 1])
def test_packed_batches_are_the_same_in_one_copy_each(pairs64: Path, monkeypatch, workers) -> None:
    """As they go to a GPU, but that nothing is pinned; copies to a device are counted."""
    dataset = PairDataset([pairs64])
    order = EpochOrder(find_kinds(dataset), 0.5, 0.5, 1, "pairs")
    expected = list(islice(feed(dataset, order, Part(6, 2), 1, "cpu"), 5))
    monkeypatch.setattr(module, "_bring", partial(module._bring_packed, pinned=False))
    copies = []
    plain = torch.Tensor.to

    def noting(tensor: torch.Tensor, *words: object, **settings: object) -> torch.Tensor:
        copies.append((tensor.dtype, settings))
        return plain(tensor, *words, **settings)

    monkeypatch.setattr(torch.Tensor, "to", noting)
    batches = list(islice(feed(dataset, order, Part(6, 2), 1, "cpu", workers), 5))
    assert copies == [(torch.uint8, {"non_blocking": True})] * 5
    for batch, like in zip(batches, expected, strict=True):
        assert batch.keys() == like.keys()
        for name in like:
            assert torch.equal(batch[name], like[name])
            assert batch[name].dtype == like[name].dtype


def test_what_is_not_mirrored_stays() -> None:
    picture = torch.arange(12).reshape(2, 1, 2, 3)
    batch = {
        "probe": picture,
        "donor": picture + 50,
        "probe_mask": picture[:, 0],
        "donor_mask": picture[:, 0] + 50,
    }
    no, yes = np.array([False, False]), np.array([False, True])
    assert torch.equal(augment(batch, Draw(no, no, no))["probe"], picture)
    found = augment(batch, Draw(no, yes, no))["probe_mask"]
    assert torch.equal(found[0], picture[0, 0])
    assert torch.equal(found[1], picture[1, 0].flip(-1))


def test_a_target_is_tampered_where_half_of_it_is() -> None:
    mask = torch.zeros(1, 16, 16, dtype=torch.uint8)
    mask[0, :8, :4] = 1  # one half of the first cell
    mask[0, 8:, 8:11] = 1  # three eighths of the last
    assert make_target(mask, 2).tolist() == [[[1, 0], [0, 0]]]
    assert torch.equal(make_target(mask, 16)[0], mask[0].long())
