import numpy as np
import pytest
from scipy import stats

from cisdl_bench.metrics import detection, intervals


def test_an_interval_of_means_is_near_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(0.6, 0.2, 3000)
    (span,) = intervals.bootstrap_means(values[:, None, None])
    half = 1.96 * values.std() / np.sqrt(3000)
    assert span.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert span.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        (span,) = intervals.bootstrap_means(rng.random((60, 1, 1)), resamples=400)
        hits += span.low <= 0.5 <= span.high
    # 95% nominal; a binomial of 200 at 93% lies above 175 with chance 0.999.
    assert hits >= stats.binom.ppf(1e-3, 200, 0.93)


def test_a_pair_is_drawn_with_both_masks() -> None:
    # Masks that mirror each other: whatever pairs are drawn, the mean is one half.
    first = np.random.default_rng(2).random(50)
    both = np.stack([first, 1 - first], axis=1)[:, None, :]
    (span,) = intervals.bootstrap_means(both)
    assert span == pytest.approx((0.5, 0.5))


def test_undefined_values_are_left_out() -> None:
    values = np.array([0.25, 0.25, np.nan, 0.25])[:, None, None]
    (span,) = intervals.bootstrap_means(values)
    assert span == (0.25, 0.25)
    assert intervals.mean_defined(values) == 0.25
    assert np.isnan(intervals.mean_defined([np.nan]))
    (span,) = intervals.bootstrap_means(np.full((3, 1, 1), np.nan))
    assert np.isnan(span.low)


def test_the_interval_of_the_auc_is_that_of_resampled_aucs() -> None:
    rng = np.random.default_rng(3)
    labels = rng.random(40) < 0.5
    scores = np.round(rng.random(40) + 0.3 * labels, 1)  # with ties
    span = intervals.bootstrap_auc(labels, scores, resamples=50)
    found = []
    for block in intervals.weights(40, 50):
        for row in block.astype(int):
            chosen = np.repeat(np.arange(40), row)
            found.append(detection.auc(labels[chosen], scores[chosen]))
    assert span == pytest.approx(tuple(np.quantile(found, [0.025, 0.975])))


def test_blocks_do_not_change_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(intervals.weights(30, 20)))
    monkeypatch.setattr(intervals, "_BLOCK", 90)
    assert (np.concatenate(list(intervals.weights(30, 20))) == whole).all()


def test_a_paired_test_agrees_with_the_t_test() -> None:
    rng = np.random.default_rng(4)
    a = rng.random(300)
    b = a + rng.normal(0.02, 0.2, 300)
    found = intervals.paired_test(a, b)
    assert found.difference == pytest.approx((b - a).mean())
    assert found.p_value == pytest.approx(stats.ttest_rel(b, a).pvalue, abs=0.03)
    assert found.n == 300


def test_a_paired_test_by_hand() -> None:
    # Three equal differences: of eight sign patterns two are as extreme, 1/4.
    found = intervals.paired_test([0, 0, 0], [1, 1, 1], resamples=4000)
    assert found.p_value == pytest.approx(0.25, abs=0.03)
    assert found.interval == (1, 1)
    assert intervals.paired_test([np.nan], [1.0]).n == 0


def test_p_values_count_the_sample_itself() -> None:
    # Twenty equal differences: no flip of signs is as extreme, but the sample is one of them.
    found = intervals.paired_test(np.zeros(20), np.ones(20))
    assert found.p_value == 1 / 2001
    labels = [1] * 20 + [0] * 20
    right = np.arange(40)[::-1]
    found = intervals.paired_auc(labels, -right, right)
    assert (found.difference, found.p_value, found.n) == (1, 2 / 2001, 40)
    assert intervals.paired_auc(labels, right, -right).difference == -1
    same = intervals.paired_auc(labels, right, right)
    assert (same.difference, same.p_value) == (0, 1)


def test_intervals_of_few_values() -> None:
    assert np.isnan(intervals.bootstrap_means([[[0.5]]], resamples=1)).all()
    assert intervals.bootstrap_means([[[0.5, np.nan]]])[0] == (0.5, 0.5)
    assert np.isnan(intervals.bootstrap_means([[[np.nan, np.nan]]])[0]).all()
