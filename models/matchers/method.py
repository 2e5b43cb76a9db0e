"""A matcher as a method: its matches become masks."""

from dataclasses import dataclass

from cisdl_bench.models.detection import Detection, Probability, View
from cisdl_bench.models.matchers.matcher import Matcher
from cisdl_bench.models.matchers.regions import RegionFinder


@dataclass(frozen=True)
class MatcherMethod:
    """A method that looks at one pair of arrays at a time.

    Attributes:
        name: Name that results are filed under.
        identity: Text that changes with the matcher and with any parameter.
        matcher: Finder of matching points in two pictures.
        regions: Stage that turns matching points into masks.
    """

    name: str
    identity: str
    matcher: Matcher
    regions: RegionFinder
    sees_truth: bool = False

    def detect_pair(self, view: View) -> Detection[Probability]:
        """Return both masks; see ``RegionFinder.find``."""
        donor, probe = self.matcher.match(view.donor, view.probe)
        return self.regions.find(view, donor, probe)
