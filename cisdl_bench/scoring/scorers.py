"""What a scoring run asks for counts: a detector that it runs, or predictions made elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cisdl_bench.models.detectors import Detector
from cisdl_bench.scoring.batches import PerturbedPairs
from cisdl_bench.scoring.by_batch import score_batches
from cisdl_bench.scoring.by_pair import score_pairs
from cisdl_bench.scoring.conventions import check_convention
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.masks import MaskSink
from cisdl_bench.scoring.options import Runnable, ScoreOptions
from cisdl_bench.scoring.row_lines import Scored


class Scorer(Runnable, Protocol):
    """Something that yields the counts of pairs."""

    @property
    def identity(self) -> str:
        """Text that changes whenever its counts may."""
        ...

    @property
    def about(self) -> dict[str, Any]:
        """Architecture and training record, for the result."""
        ...

    def check(self, job: ScoreJob, options: ScoreOptions) -> None:
        """Refuse a job that it cannot score, before any work.

        Raises:
            CisdlError: It cannot.
        """
        ...

    def score(
        self,
        job: ScoreJob,
        indices: Sequence[int],
        options: ScoreOptions,
        masks: MaskSink | None,
    ) -> Iterator[Scored]:
        """Yield the counts of pairs, some at a time, in order.

        Args:
            job: Set and perturbation.
            indices: Numbers of the pairs to score.
            options: Device, precision, threshold and so on.
            masks: Receiver of the masks; None: they are dropped.
        """
        ...


@dataclass(frozen=True)
class DetectorScorer:
    """A detector, run on the pairs: in batches on a device, or in processes on the CPU.

    Attributes:
        detector: Detector as ``find_detector`` returns it.
    """

    detector: Detector

    @property
    def note(self) -> str:
        """What a user must know before the detector is scored."""
        return self.detector.note

    @property
    def needs_device(self) -> bool:
        """Whether the detector computes with torch on a device."""
        return self.detector.needs_device

    @property
    def name(self) -> str:
        """Name of the detector."""
        return self.detector.name

    @property
    def identity(self) -> str:
        """Identity of the detector."""
        return self.detector.identity

    @property
    def about(self) -> dict[str, Any]:
        """Architecture and training record of the detector."""
        return self.detector.about

    def check(self, job: ScoreJob, options: ScoreOptions) -> None:
        """Refuse a side that the detector cannot take, or a convention without own sizes."""
        self.detector.check_side(options.window or job.pairs.size, job.pairs.name)
        check_convention(job.pairs, options)

    def score(
        self,
        job: ScoreJob,
        indices: Sequence[int],
        options: ScoreOptions,
        masks: MaskSink | None,
    ) -> Iterator[Scored]:
        """Yield the counts of pairs; see ``Scorer.score``."""
        detector = self.detector.prepare(
            options.device,
            window=options.window,
            stride=options.stride,
            own_score=options.own_score,
            compiled=options.compile,
        )
        if not detector.needs_device:
            return score_pairs(detector, job, indices, options, masks)
        dataset = PerturbedPairs(job.pairs, job.perturbation, options.perturb_donor)
        return score_batches(detector, dataset, indices, options, masks)
