"""Making sets, as one step; what is made is recognised by its manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cisdl_bench.generation.estimate import estimate
from cisdl_bench.generation.jobs import SetJob
from cisdl_bench.generation.run import make_sets
from cisdl_bench.progress import Progress
from cisdl_bench.records import count_pairs
from cisdl_bench.reproduce.rates import Rates
from cisdl_bench.reproduce.step import Cost, Step
from cisdl_bench.store.folder import DataFolder
from cisdl_bench.store.layout import MANIFEST
from cisdl_bench.store.pictures import intact
from cisdl_bench.store.sets import read_manifest


@dataclass(frozen=True)
class GenerateStep:
    """Making sets; not needed where all that reads them is done.

    Attributes:
        set_jobs: Sets to be made.
        data: Folder of the data sets.
        jobs: Number of worker processes.
        readers: Steps that read the sets.
    """

    set_jobs: Sequence[SetJob]
    data: Path
    jobs: int
    readers: Sequence[Step]

    @property
    def title(self) -> str:
        """The sets, and how many pairs they have."""
        pairs = sum(job_pairs(job) for job in self.set_jobs)
        names = list(dict.fromkeys(job.spec.full_name for job in self.set_jobs))
        sets = "1 set" if len(self.set_jobs) == 1 else f"{len(self.set_jobs)} sets"
        return f"generate {', '.join(names)}: {sets}, {pairs:,} pairs"

    def done(self) -> bool:
        """Return whether all sets are there, or nothing reads them any more."""
        made = all(is_made(job, self.data) for job in self.set_jobs)
        return made or all(reader.done() for reader in self.readers)

    def check(self) -> None:
        """Accept what is there: making the sets refuses others before it begins."""

    def cost(self, rates: Rates) -> Cost:
        """Return the estimate for the sets that are missing."""
        total = estimate([job for job in self.set_jobs if not is_made(job, self.data)], self.jobs)
        return Cost(total.seconds, total.bytes)

    def run(self, progress: Progress) -> None:
        """Make the sets."""
        make_sets(self.set_jobs, DataFolder(self.data), progress, jobs=self.jobs)


def job_pairs(job: SetJob) -> int:
    """Return the number of pairs that a set is to have."""
    return count_pairs(job.composites, job.spec.kinds)


def is_made(job: SetJob, data: Path) -> bool:
    """Return whether a set is there, whole and of the right request."""
    folder = data / job.folder
    if not (folder / MANIFEST).exists():
        return False
    manifest = read_manifest(folder, finished=False)
    shards = [entry for entry in manifest["shards"] if entry["rows"]]
    return (
        manifest["complete"]
        and all(manifest["request"].get(key) == job.request[key] for key in job.request)
        and all(intact(folder / entry["name"], entry, thorough=False) for entry in shards)
    )
