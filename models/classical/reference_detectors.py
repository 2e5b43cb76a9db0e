"""Detectors that need neither weights nor pictures; they show what the scores of nothing are."""

from dataclasses import dataclass

import numpy as np

from cisdl_bench.models.detection import Detection, Probability, View, empty_detection
from cisdl_bench.seeding import stream


@dataclass(frozen=True)
class Oracle:
    """Answers with the truth: the upper end of every metric."""

    name: str = "oracle"
    identity: str = "oracle 1"
    sees_truth: bool = True

    def detect_pair(self, view: View) -> Detection[Probability]:
        """Return the true masks; the score is 1 where they hold anything."""
        assert view.truth is not None
        probe, donor = (mask.astype(np.float32) for mask in view.truth)
        return Detection(probe, donor, float(probe.any() or donor.any()))


@dataclass(frozen=True)
class Empty:
    """Finds nothing anywhere."""

    name: str = "empty"
    identity: str = "empty 1"
    sees_truth: bool = False

    def detect_pair(self, view: View) -> Detection[Probability]:
        """Return empty masks and the score 0."""
        return empty_detection(view, 0.0)


@dataclass(frozen=True)
class Random:
    """Says of each pixel, and of each pair, a number drawn uniformly from 0 to 1."""

    name: str = "random"
    identity: str = "random 1"
    sees_truth: bool = False

    def detect_pair(self, view: View) -> Detection[Probability]:
        """Return noise keyed by the pair's name: the same in any order and on any machine."""
        rng = stream(0, "random detector", view.name)
        probe, donor = (
            rng.random(p.shape[:2]).astype(np.float32) for p in (view.probe, view.donor)
        )
        return Detection(probe, donor, float(rng.random()))
