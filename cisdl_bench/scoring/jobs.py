"""Scoring jobs: a set or list of pairs under one perturbation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.pair_sources import open_chosen
from cisdl_bench.pairs import Pairs
from cisdl_bench.progress import Progress
from cisdl_bench.scoring.perturb import Perturbation, parse_perturbations


@dataclass(frozen=True)
class ScoreJob:
    """One set under one perturbation.

    Attributes:
        pairs: Set or list of pairs.
        perturbation: Perturbation of the pictures.
    """

    pairs: Pairs
    perturbation: Perturbation

    @property
    def name(self) -> str:
        """Return the folder of its results, such as ``rotation-easy@jpeg-70``."""
        name = self.pairs.name
        return f"{name}@{self.perturbation.name}" if self.perturbation.steps else name


def make_score_jobs(
    data: Sequence[Path],
    names: Sequence[str],
    perturb: str | None,
    lists: ListOptions,
    progress: Progress,
    limit: int | None = None,
) -> list[ScoreJob]:
    """Return a job for each chosen set under each perturbation, see ``open_chosen``.

    Args:
        data: Sets, folders of sets, lists of pairs, or folders of lists.
        names: Names of the chosen sets, or beginnings of them; none given: all but training sets.
        perturb: Perturbations, such as ``none,jpeg:70``; None leaves pictures as they are.
        lists: Folders, canvas and rules for reading lists.
        progress: Receives progress updates and messages.
        limit: Number of pairs of each set, from the first on; None: all.

    Raises:
        CisdlError: There are no sets, none is chosen, or a list cannot be used.
    """
    perturbations = parse_perturbations(perturb) if perturb else [Perturbation()]
    chosen = open_chosen(data, names, lists, progress)
    return [
        ScoreJob(pairs[:limit], perturbation) for pairs in chosen for perturbation in perturbations
    ]
