import numpy as np

from cisdl_bench.training.epoch_order import EpochOrder


def order(**changes) -> EpochOrder:
    kinds = [np.arange(k, 90, 3) for k in range(3)]
    return EpochOrder(
        **{"kinds": kinds, "flip": 0.5, "swap": 0.25, "seed": 4, "name": "pairs"} | changes
    )


def test_every_pair_is_seen_once_an_epoch_and_kinds_take_turns() -> None:
    found = order().take(0, 180).pairs
    for epoch in (found[:90], found[90:]):
        assert sorted(epoch) == list(range(90))
        assert (epoch % 3 == np.arange(90) % 3).all()
    assert (found[:90] != found[90:]).any()


def test_where_one_begins_changes_nothing() -> None:
    whole = order().take(0, 300)
    for start, count in ((0, 24), (80, 24), (89, 1), (170, 100)):
        part = order().take(start, count)
        for name in ("pairs", "flip", "swap"):
            expected = getattr(whole, name)[start : start + count]
            assert np.array_equal(getattr(part, name), expected)


def test_shares_of_flips_and_swaps() -> None:
    drawn = order().take(0, 9000)
    assert abs(drawn.flip.mean() - 0.5) < 4 * 0.5 / 9000**0.5
    assert abs(drawn.swap.mean() - 0.25) < 4 * 0.433 / 9000**0.5
    assert abs(np.corrcoef(drawn.flip, drawn.swap)[0, 1]) < 0.05


def test_seed_and_name_are_the_key() -> None:
    pairs = order().take(0, 90).pairs
    for other in (order(seed=5), order(name="opponents")):
        assert (other.take(0, 90).pairs != pairs).any()


def test_a_shorter_kind_is_gone_through_again() -> None:
    uneven = order(kinds=[np.arange(10), np.arange(100, 104)])
    found = uneven.take(0, uneven.epoch_pairs).pairs
    assert sorted(found[::2]) == list(range(10))
    assert set(found[1::2][:4]) == set(found[1::2][4:8]) == {100, 101, 102, 103}
