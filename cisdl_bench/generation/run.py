"""A whole run: pictures first, then composites, in parallel, resumed where the last one ended."""

from collections.abc import Iterator, Sequence
from typing import Any

import joblib
import numpy as np

from cisdl_bench.engine import workers
from cisdl_bench.generation.jobs import SetJob
from cisdl_bench.generation.set_run import SetRun, begin_set
from cisdl_bench.generation.shards import PictureShard, make_shard
from cisdl_bench.progress import Progress
from cisdl_bench.records import count_pairs
from cisdl_bench.store.folder import DataFolder
from cisdl_bench.store.sets import Manifest


def make_sets(
    set_jobs: Sequence[SetJob],
    data: DataFolder,
    progress: Progress,
    *,
    jobs: int = 1,
    overwrite: bool = False,
) -> list[Manifest]:
    """Make sets; return their manifests in order.

    Every picture is decoded once for all sets together. The same jobs give the same bytes for
    any number of workers, and after any number of interruptions.

    Args:
        set_jobs: The sets.
        data: Folder that they are written to.
        progress: Receives progress updates and messages.
        jobs: Number of worker processes.
        overwrite: Whether finished sets are made again, and replaced when they are whole.

    Raises:
        StoreError: A folder holds something else, another run is writing, or the disk is full;
            what is finished is kept.
        SourceError: A set has no candidates, or none of them came to anything.
    """
    with data.lock():
        for name, size in dict.fromkeys(job.picture_store for job in set_jobs):
            store = data.pictures(name, size)
            for damaged in store.check(thorough=overwrite):
                progress.say(f"{store.path / damaged}: damaged or missing, made again")
        runs = [begin_set(job, data, overwrite, progress) for job in set_jobs]
        unfinished = [run for run in runs if not run.complete]
        purpose = joblib.hash([job.request for job in set_jobs])
        with workers(jobs, return_as="generator_unordered", batch_size=1) as parallel:
            robbed = [run for run in runs if run.complete and run.lacks_pictures()]
            if robbed:
                _store_pictures(robbed, parallel, progress, f"{purpose}-again")
            turn = 0
            while active := [run for run in unfinished if run.extend()]:
                _store_pictures(active, parallel, progress, f"{purpose}-{turn}")
                _store_composites(active, parallel, progress)
                turn += 1
        return [run.manifest if run.complete else run.finish(progress) for run in runs]


def _store_pictures(
    active: Sequence[SetRun], parallel: Any, progress: Progress, purpose: str
) -> None:
    groups: dict[tuple[str, int], list[SetRun]] = {}
    for run in active:
        groups.setdefault(run.job.picture_store, []).append(run)
    shards = []
    for group in groups.values():
        plan, store = group[0].job.plan, group[0].pictures
        needed = [run.job.plan.pictures(0, min(run.planned, run.job.plan.total)) for run in group]
        ids = plan.source.index.picture_id[np.concatenate(needed)]
        shards += [
            PictureShard(plan.source, plan.spec, store, name, block)
            for name, block in store.missing(ids, purpose)
        ]
    if not shards:
        return
    progress.start("pictures", sum(len(shard.ids) for shard in shards), 0)
    for shard, (entry, unusable) in _made(parallel, shards):
        shard.folder.add(entry, unusable, shard.name)
        progress.advance(len(shard.ids))
    progress.stop()


def _store_composites(active: Sequence[SetRun], parallel: Any, progress: Progress) -> None:
    run_by_path = {run.folder.path: run for run in active}
    shards = [shard for run in active for shard in run.missing_shards()]
    total = sum(count_pairs(run.job.composites, run.job.spec.kinds) for run in active)
    progress.start("pairs", total, sum(run.pairs_made() for run in active))
    for shard, entry in _made(parallel, shards):
        run = run_by_path[shard.folder.path]
        before = run.pairs_made()
        run.add(shard, entry)
        progress.advance(run.pairs_made() - before)
    progress.stop()


def _made(parallel: Any, shards: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    yield from parallel(joblib.delayed(make_shard)(shard) for shard in shards)
