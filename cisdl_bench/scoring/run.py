"""A scoring run: detectors on sets, resumed where it stopped, refused where it is stale."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cisdl_bench.devices import Rank
from cisdl_bench.errors import ModelError, RunError
from cisdl_bench.models.detectors import Detector
from cisdl_bench.progress import Progress
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.masks import MaskFolder, MaskSink
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.record import RESULT, About, read_result
from cisdl_bench.scoring.result_folder import ResultFolder, finish
from cisdl_bench.scoring.row_lines import (
    Scored,
    format_row,
    gather_lines,
    partial_file,
    read_lines_by_pair,
)
from cisdl_bench.scoring.scorers import DetectorScorer, Scorer
from cisdl_bench.store.atomic import locked
from cisdl_bench.strict_json import conforming


def score(
    detector: Detector,
    jobs: Sequence[ScoreJob],
    out: Path,
    options: ScoreOptions,
    progress: Progress,
    *,
    overwrite: bool = False,
    rank: Rank = Rank(),  # noqa: B008 - frozen
    masks: Callable[[Path], MaskSink] = MaskFolder,
    finished: Callable[[dict[str, Any]], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Score a detector on sets; see ``run_jobs``."""
    return run_jobs(
        DetectorScorer(detector),
        jobs,
        out,
        options,
        progress,
        overwrite=overwrite,
        rank=rank,
        masks=masks,
        finished=finished,
    )


def run_jobs(
    scorer: Scorer,
    jobs: Sequence[ScoreJob],
    out: Path,
    options: ScoreOptions,
    progress: Progress,
    *,
    overwrite: bool = False,
    rank: Rank = Rank(),  # noqa: B008 - frozen
    masks: Callable[[Path], MaskSink] = MaskFolder,
    finished: Callable[[dict[str, Any]], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Score sets; return each one's result, as ``result.json`` holds it.

    What is finished already is kept, unless ``overwrite`` asks for it again; masks that were not
    saved then are made.

    Args:
        scorer: Detector or predictions to score.
        jobs: Sets with their perturbations, each of another name.
        out: Folder of the results; each job gets a folder in it.
        options: Device, precision, threshold and so on.
        progress: Receives progress updates and messages.
        overwrite: Score again what is finished, and throw away results of another checkpoint, data
            set or setting. What was interrupted is resumed.
        rank: This process among several.
        masks: Returns where masks go, by the result's folder, if they are saved.
        finished: Called with each result when it is complete, in the process that writes.

    Raises:
        RunError: Two jobs have one name, or there are results of something else.
        ModelError: An answer is NaN, or what a checkpoint says of itself is of another type.
    """
    names = [job.name for job in jobs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise RunError.expected(
            out, "sets of different names", f"{twice[0]} twice", "Score them into two folders"
        )
    # Before hours of work, not after them.
    conforming(scorer.about, About, f"{scorer.name}: about", "Export it again", ModelError)
    run = _Run(scorer, options, progress, rank)
    if rank.number:
        return [run.job(job, ResultFolder(out / job.name), False, masks) for job in jobs]
    results = []
    with locked(out):
        for job in jobs:
            result = run.job(job, ResultFolder(out / job.name), overwrite, masks)
            finished(result)
            results.append(result)
    return results


class _Run:
    """What stays the same from job to job."""

    def __init__(
        self, scorer: Scorer, options: ScoreOptions, progress: Progress, rank: Rank
    ) -> None:
        self.scorer, self.options, self.progress, self.rank = scorer, options, progress, rank

    def job(
        self,
        job: ScoreJob,
        folder: ResultFolder,
        overwrite: bool,
        masks_in: Callable[[Path], MaskSink],
    ) -> dict[str, Any]:
        """Score one job; return its result."""
        rank, options, pairs = self.rank, self.options, job.pairs
        self.scorer.check(job, options)
        if rank.number == 0:
            folder.begin(self._request(job), overwrite)
        rank.wait()
        current = folder.current
        record = read_result(current / RESULT)
        masks = masks_in(current) if options.save_masks else None
        if record["complete"]:
            if not self._make_missing_masks(job, masks):
                self.progress.say(f"{current}: already scored, kept; --overwrite scores it again")
            return record
        lines = gather_lines(pairs, current) if rank.number == 0 else {}
        rank.wait()
        done = lines if rank.number == 0 else read_lines_by_pair(pairs, partial_file(current))
        todo = [index for index in pairs.indices if index not in done]
        self.progress.start("pairs", len(pairs), len(done))
        begun, own_share = time.perf_counter(), rank.share(todo, options.batch_size)
        rank.wait()
        with partial_file(current, rank.number).open("a", encoding="utf-8") as file:
            for scored in self._scored(job, own_share, masks):
                file.write("".join(format_row(pairs, index, counts) for index, counts in scored))
                file.flush()
                self.progress.advance(len(scored) * rank.total)
        seconds = time.perf_counter() - begun
        self.progress.stop()
        rank.wait()
        self._make_missing_masks(job, masks)
        if rank.number == 0:
            speed = len(todo) / seconds if todo and seconds else None
            finish(current, record, pairs, self.scorer.about, options, rank, speed)
            folder.replace(pairs.own_files)
        rank.wait()
        return read_result(folder.final / RESULT)

    def _scored(
        self, job: ScoreJob, indices: Sequence[int], masks: MaskSink | None
    ) -> Iterator[Scored]:
        for scored in self.scorer.score(job, indices, self.options, masks):
            if self.options.own_score:
                yield scored
            else:
                yield [(index, counts._replace(own_score=None)) for index, counts in scored]

    def _make_missing_masks(self, job: ScoreJob, masks: MaskSink | None) -> bool:
        """Write masks of pairs that were scored without them; return whether there were any."""
        if not isinstance(masks, MaskFolder):
            return False
        lacking = [index for index in job.pairs.indices if not masks.has(index)]
        self.rank.wait()
        if not lacking:
            return False
        self.progress.start("masks", len(lacking))
        for scored in self._scored(job, self.rank.share(lacking, self.options.batch_size), masks):
            self.progress.advance(len(scored) * self.rank.total)
        self.progress.stop()
        self.progress.say(f"{masks.path}: masks of {len(lacking):,} pairs that were scored without")
        self.rank.wait()
        return True

    def _request(self, job: ScoreJob) -> dict[str, Any]:
        """Return what decides the rows of a job."""
        return {
            "detector": self.scorer.name,
            "identity": self.scorer.identity,
            "set": job.pairs.name,
            "fingerprint": job.pairs.fingerprint,
            "size": job.pairs.size,
            "perturbation": job.perturbation.name,
            "perturb_donor": self.options.perturb_donor and bool(job.perturbation.steps),
            **self.options.request(),
        }
