"""OpenCV's features, matched both ways: SIFT, ORB and AKAZE."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from cisdl_bench.errors import ModelError
from cisdl_bench.models.matchers.matcher import Points, no_matches
from cisdl_bench.records import Pixels


@dataclass(frozen=True)
class OpencvMatcher:
    """Features of OpenCV; nearest neighbours that choose each other and pass Lowe's ratio test.

    Attributes:
        feature: Name of the feature in OpenCV: ``SIFT``, ``ORB`` or ``AKAZE``.
        max_ratio: Largest ratio of the best distance to the second best (Lowe, IJCV 2004, 7.1).
        settings: Arguments of OpenCV's constructor.
    """

    feature: str
    max_ratio: float
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a feature that this OpenCV lacks."""
        find_constructor(self.feature)

    def match(self, donor: Pixels, probe: Pixels) -> tuple[Points, Points]:
        """Return the matched key points of two pictures; see ``Matcher.match``."""
        detector = find_constructor(self.feature)(**self.settings)
        places, descriptors = [], []
        for picture in (donor, probe):
            grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            points, described = detector.detectAndCompute(grey, None)
            if described is None or len(points) < 2:
                return no_matches()
            places.append(np.array([point.pt for point in points]))
            descriptors.append(described)
        norm = cv2.NORM_HAMMING if descriptors[0].dtype == np.uint8 else cv2.NORM_L2
        first, second = mutual_matches(descriptors[0], descriptors[1], norm, self.max_ratio)
        return places[0][first], places[1][second]


def mutual_matches(donor: Any, probe: Any, norm: int, max_ratio: float) -> tuple[Any, Any]:
    """Return the places of descriptors that choose each other and pass the ratio test.

    Args:
        donor: Descriptors of the donor, (n, d), n at least 1.
        probe: Descriptors of the probe, (m, d), m at least 2.
        norm: OpenCV's number of the distance.
        max_ratio: Largest ratio of a match's distance to that of the donor's second choice.
    """
    kind = cv2.CV_32S if norm == cv2.NORM_HAMMING else cv2.CV_32F
    distances, choices = cv2.batchDistance(donor, probe, kind, normType=norm, K=2)
    _, back = cv2.batchDistance(probe, donor, kind, normType=norm, K=1)
    passed = distances[:, 0] < max_ratio * distances[:, 1]
    mutual = back[choices[:, 0], 0] == np.arange(len(donor))
    first = np.flatnonzero(passed & mutual)
    return first, choices[first, 0]


def find_constructor(feature: str) -> Callable[..., Any]:
    """Return OpenCV's constructor of a feature.

    Raises:
        ModelError: This OpenCV lacks it, as version 5 without its extra modules lacks AKAZE.
    """
    extra = getattr(cv2, "xfeatures2d", None)
    for module in (cv2, extra):
        constructor = getattr(module, f"{feature}_create", None)
        if constructor is not None:
            return constructor  # type: ignore[no-any-return]
    raise ModelError(
        f"matcher:{feature.lower()}: OpenCV {cv2.__version__} here has no {feature}. "
        "Install opencv-contrib-python-headless in place of opencv-python-headless, "
        'or "opencv-python-headless<5".'
    )


def make_sift(max_ratio: float, settings: Mapping[str, Any]) -> OpencvMatcher:
    """Return SIFT; see ``data_specs/detectors/matcher.toml``."""
    return OpencvMatcher("SIFT", max_ratio, settings)


def make_orb(max_ratio: float, settings: Mapping[str, Any]) -> OpencvMatcher:
    """Return ORB; see ``data_specs/detectors/matcher.toml``."""
    return OpencvMatcher("ORB", max_ratio, settings)


def make_akaze(max_ratio: float, settings: Mapping[str, Any]) -> OpencvMatcher:
    """Return AKAZE; see ``data_specs/detectors/matcher.toml``."""
    return OpencvMatcher("AKAZE", max_ratio, settings)
