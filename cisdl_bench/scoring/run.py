"""A scoring run: one detector on sets, resumed where it stopped, refused where it is stale."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cisdl_bench import __version__
from cisdl_bench.adapters.predictions import Predictions
from cisdl_bench.csv_text import format_csv
from cisdl_bench.devices import Rank, device_name
from cisdl_bench.errors import ModelError, RunError
from cisdl_bench.hashing import hash_file
from cisdl_bench.models.detectors import Detector, NetworkDetector
from cisdl_bench.models.networks.registry import check_side
from cisdl_bench.models.networks.sliding import SlidingWindows
from cisdl_bench.progress import Progress
from cisdl_bench.records import Pairs
from cisdl_bench.scoring.batches import PerturbedPairs
from cisdl_bench.scoring.by_batch import score_batches
from cisdl_bench.scoring.by_pair import score_pairs
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.masks import MaskFolder, MaskSink
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.predicted import score_predictions
from cisdl_bench.scoring.record import FORMAT, About, read_result
from cisdl_bench.scoring.rows import (
    PairCounts,
    format_row,
    gathered,
    partial_file,
    read_rows,
    whole_lines,
    write_rows,
)
from cisdl_bench.scoring.summary import summarise
from cisdl_bench.store.atomic import locked, write_json, write_whole
from cisdl_bench.strict_json import conforming

ROWS, RESULT, LEFT_OUT = "pairs.csv", "result.json", "left-out.csv"

_OURS = (ROWS, RESULT, LEFT_OUT, "masks")


def score(
    detector: Detector | Predictions,
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
    """Score a detector on sets; return each one's result, as ``result.json`` holds it.

    What is finished already is kept, unless ``overwrite`` asks for it again; masks that were not
    saved then are made.

    Args:
        detector: What is scored, or what it said.
        jobs: On what, each of another name.
        out: Where results go: a folder for each job.
        options: What a user chose.
        progress: Hears how it goes on.
        overwrite: Score again what is finished, and throw away results of another checkpoint, data
            set or setting. What was interrupted goes on.
        rank: This process among several.
        masks: Where masks go, by the result's folder, if they are saved.
        finished: Called with each result as it is there, in the process that writes.

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
    if isinstance(detector, NetworkDetector):  # before hours of work, not after them
        then = "Export it again"
        conforming(detector.about, About, f"{detector.name}: about", then, ModelError)
    runner = _runner(detector, options)
    if not options.own_score:
        runner = _without_own_score(runner)
    if rank.number:
        return [
            _one(runner, detector, job, out, options, progress, rank, False, masks) for job in jobs
        ]
    results = []
    with locked(out):
        for job in jobs:
            results.append(
                _one(runner, detector, job, out, options, progress, rank, overwrite, masks)
            )
            finished(results[-1])
    return results


Runner = Callable[
    [ScoreJob, Sequence[int], MaskSink | None], Iterator[list[tuple[int, PairCounts]]]
]


def _runner(detector: Detector | Predictions, options: ScoreOptions) -> Runner:
    """Return what yields answers to pairs of a job."""
    if isinstance(detector, Predictions):
        return lambda job, indices, _: score_predictions(detector, job.pairs, indices, options)
    if not isinstance(detector, NetworkDetector):
        return lambda job, indices, masks: score_pairs(
            detector, job.pairs, job.perturbation, indices, options, masks
        )
    network: Any = detector.network
    if not options.own_score:
        network = getattr(network, "dmac", network)
    network = network.to(options.device).to(memory_format=torch.channels_last)
    if options.window:
        network = SlidingWindows(network, options.window, options.stride or options.window)
    return lambda job, indices, masks: score_batches(
        network,
        PerturbedPairs(job.pairs, job.perturbation, options.perturb_donor),
        indices,
        options,
        masks,
    )


def _without_own_score(runner: Runner) -> Runner:
    def run(
        job: ScoreJob, indices: Sequence[int], masks: MaskSink | None
    ) -> Iterator[list[tuple[int, PairCounts]]]:
        for answers in runner(job, indices, masks):
            yield [(index, answer._replace(own_score=None)) for index, answer in answers]

    return run


def _one(
    runner: Runner,
    detector: Detector | Predictions,
    job: ScoreJob,
    out: Path,
    options: ScoreOptions,
    progress: Progress,
    rank: Rank,
    overwrite: bool,
    masks_in: Callable[[Path], MaskSink],
) -> dict[str, Any]:
    final, pairs = out / job.name, job.pairs
    if isinstance(detector, NetworkDetector):
        check_side(detector.network, options.window or pairs.size, pairs.name)
    request = _request(detector, job, pairs, options)
    if rank.number == 0:
        _begin(final, request, overwrite)
    rank.wait()
    folder = _beside(final, "new") if _beside(final, "new").exists() else final
    kept = read_result(folder / RESULT)
    masks = masks_in(folder) if options.save_masks else None
    if kept["complete"]:
        if not _masks_made(runner, job, masks, options, progress, rank):
            progress.say(f"{folder}: already scored, kept; --overwrite scores it again")
        return kept
    lines = gathered(folder) if rank.number == 0 else {}
    rank.wait()
    done = lines if rank.number == 0 else whole_lines(partial_file(folder))
    todo = [index for index in pairs.indices if index not in done]
    progress.start("pairs", len(pairs), len(done))
    begun, mine = time.perf_counter(), rank.share(todo, options.batch_size)
    rank.wait()
    with partial_file(folder, rank.number).open("a", encoding="utf-8") as file:
        for answers in runner(job, mine, masks):
            file.write("".join(format_row(pairs, index, answer) for index, answer in answers))
            file.flush()
            progress.advance(len(answers) * rank.total)
    seconds = time.perf_counter() - begun
    progress.stop()
    rank.wait()
    _masks_made(runner, job, masks, options, progress, rank)
    if rank.number == 0:
        kept = _finish(folder, kept, pairs, len(todo), seconds, detector, options, rank)
        if folder != final:
            _replace(final, folder, (*_OURS, *pairs.own_files))
    rank.wait()
    return read_result(final / RESULT)


def _masks_made(
    runner: Runner,
    job: ScoreJob,
    masks: MaskSink | None,
    options: ScoreOptions,
    progress: Progress,
    rank: Rank,
) -> bool:
    """Write masks of pairs that were scored without them; return whether there were any."""
    if not isinstance(masks, MaskFolder):
        return False
    lacking = [index for index in job.pairs.indices if not masks.has(index)]
    rank.wait()
    if not lacking:
        return False
    progress.start("masks", len(lacking))
    for answers in runner(job, rank.share(lacking, options.batch_size), masks):
        progress.advance(len(answers) * rank.total)
    progress.stop()
    progress.say(f"{masks.path}: masks of {len(lacking):,} pairs that were scored without")
    rank.wait()
    return True


def _request(
    detector: Detector | Predictions, job: ScoreJob, pairs: Pairs, options: ScoreOptions
) -> dict[str, Any]:
    """Return what decides the rows of a job."""
    return {
        "detector": detector.name,
        "identity": detector.identity,
        "set": pairs.name,
        "fingerprint": pairs.fingerprint,
        "size": pairs.size,
        "perturbation": job.perturbation.name,
        "perturb_donor": options.perturb_donor and bool(job.perturbation.steps),
        **options.request(),
    }


def _begin(folder: Path, request: Mapping[str, Any], overwrite: bool) -> None:
    """Make a folder ready: of this request, or refused.

    A finished result that is scored again stays until the new one is whole.
    """
    new, old = _beside(folder, "new"), _beside(folder, "old")
    if old.exists() and not folder.exists():
        old.rename(folder)  # a run ended between the two renames
    shutil.rmtree(old, ignore_errors=True)
    path = folder / RESULT
    if not (overwrite and path.exists()):
        shutil.rmtree(new, ignore_errors=True)
    if path.exists():
        there, complete = {}, False
        with suppress(RunError) if overwrite else nullcontext():
            record = read_result(path)
            there, complete = record["request"], record["complete"]
        if not complete:
            shutil.rmtree(new, ignore_errors=True)
        differing = [key for key in request if there.get(key) != request[key]]
        if not differing and not (overwrite and complete):
            return
        if differing and not overwrite:
            key = differing[0]
            raise RunError.expected(
                folder,
                f"results of this command ({key}: {request[key]})",
                f"others ({key}: {there.get(key)})",
                "Use --overwrite to replace them, or choose another --out",
            )
        if complete:
            with suppress(RunError):
                if read_result(new / RESULT)["request"] == request:
                    return
            shutil.rmtree(new, ignore_errors=True)
            folder = new
    old_files = (*folder.glob("partial-*.csv"), *folder.glob("masks/*.png"))
    for each in (*old_files, folder / ROWS, folder / LEFT_OUT):
        each.unlink(missing_ok=True)
    first = {"format": FORMAT, "complete": False, "request": dict(request)}
    write_json(folder / RESULT, first)


def _replace(final: Path, new: Path, ours: Sequence[str]) -> None:
    """Give new results the folder of old ones; what a user put beside those stays."""
    old = _beside(final, "old")
    final.rename(old)
    new.rename(final)
    for path in old.iterdir():
        if path.name not in ours and not path.name.startswith("partial-"):
            path.rename(final / path.name)
    shutil.rmtree(old)


def _beside(folder: Path, word: str) -> Path:
    return folder.parent / f".{folder.name}.{word}"


def _finish(
    folder: Path,
    result: dict[str, Any],
    pairs: Pairs,
    scored: int,
    seconds: float,
    detector: Detector | Predictions,
    options: ScoreOptions,
    rank: Rank,
) -> dict[str, Any]:
    write_rows(folder / ROWS, gathered(folder))
    if pairs.left_out:
        lines = [{"index": n, "reason": reason} for n, reason in sorted(pairs.left_out.items())]
        write_whole(folder / LEFT_OUT, format_csv(lines).encode())
    about = detector.about if isinstance(detector, NetworkDetector) else {}
    rows, facts = read_rows(folder / ROWS), pairs.facts
    summary = summarise(rows)
    if summary["masks_empty"]:
        said = f"{summary['masks_empty']:,} true masks of positive pairs hold no tampered pixel"
        facts = {**facts, "notes": [*facts["notes"], f"{pairs.name}: {said}"]}
    result = {
        **result,
        "complete": True,
        "rows_sha256": hash_file(folder / ROWS),
        "summary": summary,
        "about": about,
        "data": facts,
        "origin": pairs.origin,
        "settings": asdict(options),
        "device": device_name(options.device),
        "processes": rank.total,
        "pairs_per_second": scored / seconds if scored and seconds else None,
        "versions": {
            "cisdl-bench": __version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
    }
    write_json(folder / RESULT, result)
    for partial in folder.glob("partial-*.csv"):
        partial.unlink()
    return result
