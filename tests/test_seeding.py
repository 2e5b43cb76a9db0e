import numpy as np

from cisdl_bench.seeding import permutation, stream


def test_streams_are_fixed_for_ever() -> None:
    # These numbers are part of the format: a change of any makes other data sets.
    assert stream(0, "rotation", "easy", index=7).random(3).tolist() == [
        0.20934307608192648,
        0.22648586204066912,
        0.7941281577218836,
    ]


def test_seed_names_and_index_each_change_the_stream() -> None:
    streams = [
        stream(0, "a"),
        stream(1, "a"),
        stream(0, "b"),
        stream(0, "a", "b"),
        stream(0, "a\0b", index=1),
        stream(0, "a", index=1),
        stream(0, "a", index=1 << 40),
    ]
    assert len({s.random() for s in streams}) == len(streams)


def test_neighbouring_indices_do_not_overlap() -> None:
    first = stream(0, "x", index=0).random(100_000)
    second = stream(0, "x", index=1).random(1000)
    assert not np.isin(second, first).any()


def test_permutation_is_one() -> None:
    assert sorted(permutation(stream(0, "p"), 50).tolist()) == list(range(50))
