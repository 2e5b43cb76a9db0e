import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import matthews_corrcoef, roc_auc_score, roc_curve

from cisdl_bench.metrics import localization
from cisdl_bench.nist import sweep
from cisdl_bench.nist.no_score import Zones, score_reference


def black_disc(shape: tuple[int, int], grey: int = 255) -> np.ndarray:
    y, x = np.indices(shape)
    levels = np.full((*shape, 3), 255, dtype=np.uint8)
    levels[(x - 15) ** 2 + (y - 12) ** 2 < 70] = 0
    levels[-3:, -5:] = grey
    return levels


def test_the_zone_is_a_band_around_the_region() -> None:
    levels = black_disc((40, 50))
    black = levels[..., 0] == 0
    found = score_reference(levels, Zones(5, 3), donor=False)
    inner = ndimage.binary_erosion(black, np.ones((5, 5)), border_value=1)
    outer = ndimage.binary_dilation(black, np.ones((3, 3)))
    assert np.array_equal(found.scored, ~(outer & ~inner))
    assert np.array_equal(found.target, black)
    assert found.band_px == (~found.scored).sum() > 0


def test_the_pictures_edge_is_no_border() -> None:
    levels = np.zeros((9, 9, 1), dtype=np.uint8)
    levels[:, 6:] = 255
    found = score_reference(levels, Zones(3, 3), donor=False)
    assert found.scored[0].tolist() == found.scored[4].tolist()
    assert found.scored[0].tolist() == [True] * 5 + [False, False] + [True, True]


def test_what_grey_means_depends() -> None:
    levels = black_disc((40, 50), grey=128)
    levels[20, 24:27] = 77  # grey inside the band, beside the black
    grey = (levels[..., 0] != 0) & (levels[..., 0] != 255)
    probe = score_reference(levels, Zones(), donor=False)
    assert probe.target[grey].all()
    assert probe.scored.all()
    probe = score_reference(levels, Zones(5, 3), donor=False)
    assert not probe.target[grey].any()
    for zones in (Zones(), Zones(5, 3)):
        donor = score_reference(levels, zones, donor=True)
        assert not donor.scored[grey].any()
        assert not donor.target[grey].any()
        assert donor.grey_px == grey.sum()
        assert donor.scored.sum() + donor.grey_px + donor.band_px == grey.size


def test_grey_of_a_donor_is_no_band() -> None:
    # Black, grey, white: dilated by 3 px, the black reaches the grey pixel and no white one.
    line = np.array([[0, 0, 0, 90, 255, 255]], dtype=np.uint8)[..., None]
    donor, probe = (score_reference(line, Zones(0, 3), donor=side) for side in (True, False))
    assert (donor.band_px, donor.grey_px) == (0, 1)
    assert (probe.band_px, probe.grey_px) == (1, 0)
    assert donor.scored[0].tolist() == probe.scored[0].tolist() == [True] * 3 + [False, True, True]
    without = score_reference(line, Zones(), donor=True)
    assert without.scored[0].tolist() == [True] * 3 + [False, True, True]
    assert without.target[0].tolist() == [True] * 3 + [False] * 3


def test_colours_are_neither_black_nor_white() -> None:
    levels = np.array([[[0, 0, 0], [0, 255, 255], [255, 255, 255]]], dtype=np.uint8)
    assert score_reference(levels, Zones(), donor=False).target[0].tolist() == [True, True, False]
    zoned = score_reference(levels, Zones(1, 0), donor=False)
    assert zoned.target[0].tolist() == [True, False, False]
    assert score_reference(levels, Zones(), donor=True).grey_px == 1


def test_blank_references_are_not_scored() -> None:
    assert score_reference(np.full((4, 4, 1), 128, dtype=np.uint8), Zones(), donor=False) is None
    with pytest.raises(ValueError, match=r"odd sides in px, got \(4, 3\)"):
        score_reference(np.zeros((4, 4, 1), dtype=np.uint8), Zones(4, 3), donor=False)


def noisy(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = rng.random((20, 30)) < 0.3
    levels = np.where(target, rng.integers(0, 200, (20, 30)), rng.integers(90, 256, (20, 30)))
    return levels.astype(np.uint8) // 16 * 16, target, rng.random((20, 30)) < 0.8


@pytest.mark.parametrize("seed", range(3))
def test_every_threshold_at_once_is_each_alone(seed: int) -> None:
    levels, target, scored = noisy(seed)
    found = sweep.sweep(levels, target, scored)
    best = -2.0
    for t in [-1, *np.unique(levels[scored]).tolist()]:
        called = levels[scored] <= t
        counts = sweep.counts_at(found, t)
        assert int(counts.tp) == (called & target[scored]).sum()
        assert int(counts.fn) == (~called & target[scored]).sum()
        assert sum(map(int, counts)) == scored.sum()
        mcc = matthews_corrcoef(target[scored], called)
        assert float(localization.mcc(counts)) == pytest.approx(mcc, abs=1e-12)
        if mcc > best:
            best, first = mcc, t
    assert sweep.best_threshold(found) == first
    assert sweep.best_common_threshold([found]) == first


def test_a_masks_roc_is_scikit_learns() -> None:
    levels, target, scored = noisy(5)
    roc = sweep.pixel_roc(sweep.sweep(levels, target, scored))
    scores = -levels[scored].astype(float)
    assert roc.auc() == pytest.approx(roc_auc_score(target[scored], scores), abs=1e-12)
    fpr, tpr, _ = roc_curve(target[scored], scores, drop_intermediate=False)
    at = int(np.argmin(np.abs(fpr - (1 - tpr))))
    assert roc.eer() == pytest.approx((fpr[at] + 1 - tpr[at]) / 2, abs=1e-12)


def test_an_inverted_mask_is_scored_as_nothing() -> None:
    target = np.array([[True, False, False]])
    found = sweep.sweep(np.uint8([[255, 0, 0]]), target, np.ones((1, 3), dtype=bool))
    assert sweep.best_threshold(found) == -1
    assert sweep.grey_loss(np.uint8([[255, 0, 0]]), target, np.ones((1, 3), dtype=bool)) == 1
    assert np.isnan(sweep.grey_loss(np.uint8([[255]]), target[:, :1], ~target[:, :1]))
