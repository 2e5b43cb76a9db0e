"""``sift-ransac``: key points matched both ways, affine maps by RANSAC, a dense mask.

A classical baseline without training: SIFT (Lowe, IJCV 2004; OpenCV's), nearest neighbours that
choose each other and pass Lowe's ratio test, and the stage that it shares with all matchers,
``models.matchers.regions``.
"""

from cisdl_bench.models.classical.parameters import read_parameters
from cisdl_bench.models.matchers.method import MatcherMethod
from cisdl_bench.models.matchers.opencv import OpencvMatcher
from cisdl_bench.models.matchers.regions import RegionFinder


class SiftRansac(MatcherMethod):
    """The detector; ``data_specs/detectors/sift-ransac.toml`` explains its parameters."""

    @classmethod
    def from_spec(cls) -> "SiftRansac":
        """Return it with the parameters in ``data_specs``."""
        table = read_parameters("sift-ransac")
        matcher = OpencvMatcher("SIFT", table["max_ratio"], table["sift"])
        return cls("sift-ransac", table["identity"], matcher, RegionFinder(**table["regions"]))
