"""Making a submission to NIST's splice task: a detector on every pair of an index."""

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.adapters.formats import format_spec
from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.errors import RunError, SourceError
from cisdl_bench.metrics.mask_score import pair_score
from cisdl_bench.models.detectors import Detector
from cisdl_bench.nist import submission
from cisdl_bench.nist.index import Trial, read_index
from cisdl_bench.pairs import Pairs
from cisdl_bench.progress import Progress
from cisdl_bench.records import SIDES
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.rows import ROWS, Rows, read_rows
from cisdl_bench.scoring.run import score
from cisdl_bench.store.atomic import write_whole


@dataclass(frozen=True)
class SubmissionMasks:
    """Where a submission's masks go, at the sizes of the index, black manipulated.

    Attributes:
        folder: Folder of the submission.
        trials: Trials of the index.
    """

    folder: Path
    trials: tuple[Trial, ...]

    def name(self, index: int, side: str) -> str:
        """Return a mask's name, relative to the submission."""
        trial = self.trials[index]
        return f"mask/{trial.probe_id}_{trial.donor_id}_{side}.png"

    def save(self, index: int, side: str, mask: npt.NDArray[np.float32]) -> None:
        """Write one mask, float32 (H, W) on the canvas; nothing where it is white all over."""
        trial = self.trials[index]
        size = trial.probe_size if side == "probe" else trial.donor_size
        own = cv2.resize(np.asarray(mask), size, interpolation=cv2.INTER_LINEAR)
        grey = (255 - np.rint(np.clip(own, 0, 1) * 255)).astype(np.uint8)
        path = self.folder / self.name(index, side)
        if (grey == 255).all():
            path.unlink(missing_ok=True)
        else:
            write_whole(path, cv2.imencode(".png", grey)[1].tobytes(), flush=False)


@dataclass(frozen=True)
class Request:
    """What is to be submitted.

    Attributes:
        index: NIST's index.
        images: Folder that the index's names are relative to; None is the one above ``indexes``.
        out: Folder of the submission, by its valid name.
        size: Side of the canvas in px.
        ncid: Word for the challenge, such as ``MFC18``; None is the index's.
    """

    index: Path
    images: Path | None
    out: Path
    size: int = 256
    ncid: str | None = None

    @property
    def table(self) -> Path:
        """The submission's CSV."""
        return self.out / f"{self.out.absolute().name}.csv"

    @property
    def challenge(self) -> str:
        """Its NCID."""
        return self.ncid or submission.find_ncid(self.index)

    def check_name(self) -> None:
        """Refuse a name that NIST would.

        Raises:
            SourceError: It is against the rule.
        """
        wrong = submission.check_name(self.out.absolute().name, self.challenge)
        if wrong:
            raise SourceError(f"{self.out}: {wrong}. Choose another --out.")


def submit(
    detector: Detector,
    request: Request,
    options: ScoreOptions,
    progress: Progress,
    *,
    overwrite: bool = False,
) -> dict[str, int]:
    """Write a submission and check it; return how many pairs were processed and opted out.

    Pairs whose pictures are missing or cannot be read are opted out. What is done is kept in a
    hidden folder beside the submission until that is complete, and the same command resumes.

    Args:
        detector: Detector that is run on the pairs.
        request: Index and name of the submission.
        options: Options of the scoring run.
        progress: Receives progress updates and messages.
        overwrite: Whether an existing submission is replaced.

    Raises:
        CisdlError: The name is wrong, there is a submission, a table cannot be read, or what was
            written does not pass the check.
    """
    request.check_name()
    trials = tuple(read_index(request.index))
    submission.check_trials(request.index, trials)
    out = request.out.absolute()
    if request.table.exists() and not overwrite:
        raise RunError(f"{request.table} exists. Use --overwrite to replace it.")
    if overwrite:
        request.table.unlink(missing_ok=True)
        for mask in out.glob("mask/*.png"):
            mask.unlink()
    lists = ListOptions(request.images, size=request.size, skip_unusable=True, labelled=False)
    pairs = open_list(request.index, lists, progress)
    work, masks = out.parent / f".{out.name}-work", SubmissionMasks(out, trials)
    job = ScoreJob(pairs, Perturbation())
    score(
        detector,
        [job],
        work,
        replace(options, save_masks=True),
        progress,
        overwrite=overwrite,
        masks=lambda _: masks,
    )
    rows = read_rows(work / job.name / ROWS)
    _write_table(request, pairs, rows, masks)
    problems = submission.check_submission(request.table, request.index, request.challenge)
    if problems:
        raise RunError(f"{problems[0]}. {len(problems):,} problems: report this.")
    shutil.rmtree(work)
    return dict(
        Counter("opted out" if k in pairs.left_out else "processed" for k in range(len(trials)))
    )


def _write_table(request: Request, pairs: Pairs, rows: Rows, masks: SubmissionMasks) -> None:
    style = submission.find_style(request.challenge)
    own, inside = rows["own_score"], (rows["probe_inside"], rows["donor_inside"])
    scores = np.where(np.isnan(own), pair_score(*inside), own)
    scored = dict(zip(rows["index"].tolist(), scores.tolist(), strict=True))
    spare = format_spec("mfc")["opted_out_score"]
    lines = []
    for index, trial in enumerate(masks.trials):
        words = style.opted_out if index in pairs.left_out else style.processed
        named = [masks.name(index, side) for side in SIDES]
        files = [name if (masks.folder / name).exists() else "" for name in named]
        lines.append(
            {
                "ProbeFileID": trial.probe_id,
                "DonorFileID": trial.donor_id,
                "ConfidenceScore": repr(float(scored.get(index, spare))),
                **dict(zip(submission.MASK_COLUMNS, files, strict=True)),
                **dict(zip(style.columns, words, strict=True)),
            }
        )
    write_whole(request.table, submission.format_table(lines, style).encode())
