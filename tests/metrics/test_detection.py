import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from references import table
from sklearn import metrics as reference

from cisdl_bench.metrics import detection, intervals, mask_score
from cisdl_bench.nist import detection as nist_detection

EXPECTED = {row["set"]: row for row in table("nist-detection-expected.csv", "|")}


def nist_set(name: str) -> tuple[np.ndarray, np.ndarray]:
    (row,) = [row for row in table("nist-detection.csv") if row["set"] == name]
    labels = np.array([letter == "Y" for letter in row["targets"]])
    return labels, np.array([float(score) for score in row["scores"].split()])


@pytest.mark.parametrize("name", EXPECTED)
def test_auc_and_eer_are_nists(name: str) -> None:
    expected, (labels, scores) = EXPECTED[name], nist_set(name)
    assert (labels.sum(), (~labels).sum()) == (
        int(expected["n_target"]),
        int(expected["n_nontarget"]),
    )
    assert detection.auc(labels, scores) == pytest.approx(float(expected["AUC"]), abs=1e-9)
    assert detection.eer(labels, scores) == pytest.approx(float(expected["EER"]), abs=1e-9)
    assert detection.eer(labels, scores, "all") == pytest.approx(
        float(expected["EER_if_all_thresholds_kept"]), abs=1e-9
    )
    assert len(detection.roc(labels, scores).fpr) == int(expected["n_roc_points"])


@pytest.mark.parametrize("name", EXPECTED)
def test_rates_at_a_false_alarm_rate_and_bounds_are_nists(name: str) -> None:
    expected, (labels, scores) = EXPECTED[name], nist_set(name)
    theirs = {key: float(value) for key, value in expected.items() if key != "set"}
    assert nist_detection.area_at(labels, scores) == pytest.approx(
        theirs["AUC_at_FAR_0p1"], abs=1e-9
    )
    assert nist_detection.rate_at(labels, scores) == pytest.approx(
        theirs["CDR_at_FAR_0p1"], abs=1e-9
    )
    spans = nist_detection.bounds(labels, scores)
    for mine, name_ in (("AUC", "AUC"), ("AUC@FAR", "pAUC"), ("CDR@FAR", "CDR")):
        ends = [theirs[f"{name_}_CI90_{end}"] for end in ("lower", "upper")]
        assert spans[mine] == pytest.approx(ends, abs=1e-9), mine


LABELLED = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=40).filter(
    lambda pairs: len({label for label, _ in pairs}) == 2
)


@given(LABELLED)
def test_curves_are_scikit_learns(pairs: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in pairs])
    scores = np.array([score / 8 for _, score in pairs])
    ours, theirs = detection.roc(labels, scores), reference.roc_curve(labels, scores)
    np.testing.assert_allclose(ours.fpr, theirs[0], atol=1e-12)
    np.testing.assert_allclose(ours.tpr, theirs[1], atol=1e-12)
    auc, ap = (
        reference.roc_auc_score(labels, scores),
        reference.average_precision_score(labels, scores),
    )
    assert detection.auc(labels, scores) == pytest.approx(auc, abs=1e-12)
    assert detection.average_precision(labels, scores) == pytest.approx(ap, abs=1e-12)
    called = detection.at_threshold(labels, scores, 0.5)
    theirs_f1 = reference.f1_score(labels, scores > 0.5, zero_division=np.nan)
    np.testing.assert_allclose(called.f1, theirs_f1, equal_nan=True)


@given(LABELLED)
def test_the_crossing_lies_on_the_curve(pairs: list[tuple[bool, int]]) -> None:
    labels, scores = [p[0] for p in pairs], [float(p[1]) for p in pairs]
    rate = detection.eer(labels, scores, "crossing")
    curve = detection.roc(labels, scores, drop=False)
    steps = np.unique(curve.fpr)
    for end, side in ((np.max, 1), (np.min, -1)):
        tpr = np.array([end(curve.tpr[curve.fpr == step]) for step in steps])
        assert side * (np.interp(rate, steps, tpr) - (1 - rate)) >= -1e-9


def test_vertices_decide_the_rate() -> None:
    # Five of each, one positive above all negatives and the rest below: a straight drop.
    labels = [1, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    scores = np.arange(10)[::-1]
    assert detection.eer(labels, scores, "kept") == pytest.approx(0.9)
    assert detection.eer(labels, scores, "all") == pytest.approx(0.8)
    assert detection.eer(labels, scores, "crossing") == pytest.approx(0.8)


def test_one_class_alone_is_undefined() -> None:
    for labels in ([1, 1], [0, 0]):
        assert np.isnan(detection.auc(labels, [0.1, 0.2]))
        assert np.isnan(detection.eer(labels, [0.1, 0.2]))
        assert np.isnan(detection.average_precision(labels, [0.1, 0.2]))
        assert np.isnan(detection.at_threshold(labels, [0.6, 0.7]).precision)
        assert np.isnan(detection.at_threshold(labels, [0.6, 0.7]).f1)
    assert detection.at_threshold([1, 1], [0.6, 0.2]).recall == 0.5
    assert np.isnan(detection.at_threshold([0, 0], [0.6, 0.2]).recall)
    assert np.isnan(detection.at_threshold([1, 0], [0.1, 0.2]).precision)
    assert detection.at_threshold([1, 0], [0.1, 0.2])[1:] == (0, 0)


def test_of_nothing_nothing_is_defined() -> None:
    assert np.isnan(detection.auc([], []))
    for vertices in detection.VERTICES:
        assert np.isnan(detection.eer([], [], vertices))
    assert np.isnan(detection.average_precision([], []))
    assert all(np.isnan(value) for value in detection.at_threshold([], []))
    assert np.isnan(intervals.bootstrap_auc([], [], resamples=3)).all()


@pytest.mark.parametrize("seed", range(5))
def test_infinite_scores_are_ties_in_any_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.random(40) < 0.5
    scores = rng.choice([-np.inf, -1.0, 0.0, 2.0, np.inf], 40)
    finite = np.clip(scores, -9, 9)  # the same order, ties and all
    shuffled = rng.permutation(40)
    for metric in (detection.auc, detection.eer, detection.average_precision):
        expected = metric(labels, finite)
        assert metric(labels, scores) == pytest.approx(expected, abs=1e-12)
        assert metric(labels[shuffled], scores[shuffled]) == pytest.approx(expected, abs=1e-12)
    assert detection.auc(labels, scores) == pytest.approx(
        reference.roc_auc_score(labels, finite), abs=1e-12
    )
    mine = intervals.resampled_auc(labels, scores, resamples=20)
    np.testing.assert_allclose(mine, intervals.resampled_auc(labels, finite, resamples=20))


@pytest.mark.parametrize("wrong", [-1, 2, 0.5, np.nan])
def test_labels_are_0_and_1(wrong: float) -> None:
    for function in (
        detection.auc,
        detection.eer,
        detection.average_precision,
        detection.at_threshold,
        detection.roc,
        intervals.resampled_auc,
    ):
        with pytest.raises(ValueError, match="expected labels 0 and 1"):
            function([1, 0, wrong], [0.1, 0.2, 0.3])


def test_a_score_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="got 1 NaN"):
        detection.auc([1, 0], [0.5, float("nan")])


def test_mask_scores_by_hand() -> None:
    mask = np.zeros((4, 4), dtype=np.float32)
    assert mask_score.mean_inside(mask) == 0
    assert mask_score.share_inside(mask) == 0
    mask[0, :2] = 0.6, 0.8
    mask[1, 1] = 0.5  # not above
    assert mask_score.mean_inside(mask) == pytest.approx(0.7)
    assert mask_score.share_inside(mask) == 2 / 16
    assert mask_score.pair_score(0.7, 0.0) == pytest.approx(0.35)


def test_of_two_nearest_vertices_the_first_counts() -> None:
    # Kept vertices (0, 3/4) and (1/2, 3/4): |FPR - FNR| is 1/4 at both, their means are not equal.
    labels, scores = [1, 1, 1, 0, 0, 1, 0, 0], range(8, 0, -1)
    assert detection.eer(labels, scores) == 0.125
    assert detection.eer(labels, scores, "all") == 0.25  # the vertex between them
