"""Detection up to a false alarm rate, by hand; NIST's own values are in ``test_references``."""

import math

import numpy as np
import pytest

from cisdl_bench.nist import detection as nist_detection


def test_areas_and_rates_by_hand() -> None:
    # Falling scores: + - + - - : vertices (0, 0), (0, .5), (1/3, .5), (1/3, 1), (1, 1).
    labels, scores = [1, 0, 1, 0, 0], [5, 4, 3, 2, 1]
    assert nist_detection.area_at(labels, scores, 0.1) == 0
    assert nist_detection.area_at(labels, scores, 0.5) == pytest.approx(0.5 / 3)
    assert nist_detection.area_at(labels, scores, 1) == pytest.approx(0.5 / 3 + 2 / 3)
    assert nist_detection.rate_at(labels, scores, 0.1) == 0.5
    assert nist_detection.rate_at(labels, scores, 1 / 3) == 0.5  # the first of two
    assert nist_detection.rate_at([1, 0], [0.5, 0.5], 0.1) == pytest.approx(0.1)


def test_one_class_alone_is_undefined() -> None:
    for labels in ([1, 1], [0, 0], []):
        scores = [0.5] * len(labels)
        assert math.isnan(nist_detection.area_at(labels, scores))
        assert math.isnan(nist_detection.rate_at(labels, scores))
        assert all(np.isnan(span).all() for span in nist_detection.bounds(labels, scores).values())
