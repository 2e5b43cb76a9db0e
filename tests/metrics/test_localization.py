import numpy as np
import pytest
from references import table
from sklearn.metrics import f1_score, jaccard_score, matthews_corrcoef

from cisdl_bench.metrics import localization
from cisdl_bench.metrics.counts import Counts, count


def counts_of(*numbers: int) -> Counts:
    return Counts(*np.array(numbers, dtype=np.int64))


def masks_of(row: dict[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Draw a mask and its reference, bool (256, 256), of these counts."""
    numbers = [int(row[name]) for name in ("TP", "FP", "FN", "TN")]
    pred, target = (np.repeat(each, numbers) for each in ([1, 1, 0, 0], [1, 0, 1, 0]))
    order = np.random.default_rng(int(row["idx"])).permutation(256**2)
    return (pred[order].reshape(256, 256) > 0), (target[order].reshape(256, 256) > 0)


@pytest.fixture(scope="module")
def nist() -> tuple[Counts, list[dict[str, str]]]:
    expected = table("nist-masks.csv")
    masks = [np.stack(each) for each in zip(*map(masks_of, expected), strict=True)]
    return count(*masks), expected


def test_counts_are_nists(nist: tuple[Counts, list[dict[str, str]]]) -> None:
    found, expected = nist
    assert len(expected) == 40
    for name, values in found._asdict().items():
        assert values.tolist() == [int(row[name.upper()]) for row in expected]


@pytest.mark.parametrize("name", ["nmm", "mcc", "bwl1"])
def test_metrics_are_nists_to_1e_9(nist: tuple[Counts, list[dict[str, str]]], name: str) -> None:
    found, expected = nist
    values = getattr(localization, name)(found)
    theirs = np.array([float(row[name.upper()] or "nan") for row in expected])
    np.testing.assert_allclose(values, theirs, rtol=0, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("seed", range(5))
def test_metrics_are_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.random((17, 23)) < 0.3
    pred = np.where(rng.random((17, 23)) < 0.8, target, rng.random((17, 23)) < 0.5)
    found, y, p = count(pred, target), target.ravel(), pred.ravel()
    assert localization.iou(found) == pytest.approx(jaccard_score(y, p), abs=1e-12)
    assert localization.f1(found) == pytest.approx(f1_score(y, p), abs=1e-12)
    assert localization.mcc(found) == pytest.approx(matthews_corrcoef(y, p), abs=1e-12)


def test_a_hand_count() -> None:
    # 4 x 4: reference is the left half, the answer the upper half.
    found = counts_of(4, 4, 4, 4)
    assert localization.iou(found) == 4 / 12
    assert localization.f1(found) == 0.5
    assert localization.mcc(found) == 0
    assert localization.nmm(found) == (4 - 4 - 4) / 8
    assert localization.bwl1(found) == 0.5


def test_empty_reference_is_undefined_or_as_the_release_has_it() -> None:
    found = counts_of(0, 3, 0, 13)
    assert np.isnan(localization.nmm(found))
    assert localization.nmm(found, "release") == 0
    assert localization.iou(found) == 0


def test_both_empty() -> None:
    found = counts_of(0, 0, 0, 16)
    assert np.isnan(localization.iou(found))
    assert np.isnan(localization.f1(found))
    assert localization.mcc(found) == 0


def test_nothing_scored_is_undefined() -> None:
    found = counts_of(0, 0, 0, 0)
    assert np.isnan(localization.mcc(found))
    assert localization.mcc(found, "release") == 0
    assert np.isnan(localization.bwl1(found))


def test_full_masks_have_no_correlation() -> None:
    assert localization.mcc(counts_of(16, 0, 0, 0)) == 0


def test_mcc_of_a_large_picture_does_not_overflow() -> None:
    n = 6_000_000
    assert localization.mcc(counts_of(n, 0, 0, 3 * n)) == pytest.approx(1, abs=1e-12)


def test_scored_pixels_alone_count() -> None:
    pred = np.array([[True, True, False, False]])
    target = np.array([[True, False, True, False]])
    zone = np.array([[True, True, False, True]])
    assert [int(n) for n in count(pred, target, zone)] == [1, 1, 0, 1]


def test_a_batch_counts_as_its_masks() -> None:
    rng = np.random.default_rng(0)
    pred, target = rng.random((2, 3, 4, 9, 7)) < 0.4
    both = count(pred, target)
    assert both.tp.shape == (3, 4)
    for i in range(3):
        for j in range(4):
            assert [x[i, j] for x in both] == [int(x) for x in count(pred[i, j], target[i, j])]


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="expected bool arrays of one shape"):
        count(np.zeros((2, 2), bool), np.zeros((2, 3), bool))


def test_mcc_of_a_perfect_mask_is_exactly_1_and_of_its_inverse_exactly_minus_1() -> None:
    area, whole = np.arange(1, 256**2), 256**2
    zero = np.zeros_like(area)
    for size in (whole, 24_000_000, 94_906_265):
        rest = size - area
        assert (localization.mcc(Counts(area, zero, zero, rest)) == 1).all()
        assert (localization.mcc(Counts(zero, rest, area, zero)) == -1).all()


def test_mcc_of_large_pictures_does_not_overflow() -> None:
    from fractions import Fraction

    # 2 ** 34 pixels: products of four counts have 136 bits, more than int64 and even two of them.
    tp, fp, fn, tn = 3 * 2**30, 2**30 + 1, 2**29 + 7, 2**34 - 5 * 2**30
    square = Fraction((tp * tn - fp * fn) ** 2, (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    found = localization.mcc(counts_of(tp, fp, fn, tn))
    assert float(found) == pytest.approx(float(square) ** 0.5, rel=1e-14)
    assert float(localization.mcc(counts_of(fp, tp, tn, fn))) == pytest.approx(
        -(float(square) ** 0.5), rel=1e-14
    )


@pytest.mark.parametrize("seed", range(3))
def test_mcc_is_the_correlation_of_the_masks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target, pred = rng.random((2, 13, 19)) < rng.random((2, 1, 1))
    expected = np.corrcoef(target.ravel(), pred.ravel())[0, 1]
    assert localization.mcc(count(pred, target)) == pytest.approx(expected, abs=1e-12)
    assert localization.mcc(count(pred, ~target)) == pytest.approx(-expected, abs=1e-12)


def test_undefined_is_nan_and_conventions_have_names() -> None:
    nothing, empty, full = counts_of(0, 0, 0, 0), counts_of(0, 3, 0, 5), counts_of(4, 0, 4, 0)
    for metric in (localization.iou, localization.f1, localization.nmm, localization.bwl1):
        assert np.isnan(metric(nothing)), metric
    assert np.isnan(localization.mcc(nothing))
    assert localization.mcc(nothing, "release") == 0
    assert np.isnan(localization.nmm(empty))
    assert localization.nmm(empty, "release") == 0
    assert localization.nmm(counts_of(1, 9, 1, 0), "release") == -1  # (1 - 1 - 9) / 2, cut
    assert localization.mcc(empty) == localization.mcc(full) == 0
    assert localization.iou(empty) == localization.f1(empty) == 0
    assert localization.iou(counts_of(0, 0, 0, 7)) != localization.iou(empty)  # NaN, not 0
