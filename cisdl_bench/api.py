"""The public functions; ``cisdl_bench`` itself shows them.

Paths may be text or ``pathlib.Path``. ``progress=False`` shows nothing; else long work has a bar on
a terminal and says on stderr what the command line says.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from joblib import cpu_count
from PIL import Image

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.picture import read_picture
from cisdl_bench.bars import Bars
from cisdl_bench.errors import CisdlError, SourceError
from cisdl_bench.folders import data_folder, find_named, scores_folder
from cisdl_bench.generation.jobs import make_set_jobs
from cisdl_bench.generation.run import make_sets
from cisdl_bench.models.checkpoints.checkpoint import Checkpoint
from cisdl_bench.models.detection import Detection, Probability
from cisdl_bench.models.detectors import (
    Detector,
    NetworkDetector,
    PairDetector,
    check_name,
    rename_detector,
)
from cisdl_bench.models.find import find_checkpoint, find_detector, wrap_network
from cisdl_bench.pair_sources import open_chosen, open_one
from cisdl_bench.pairs import Pairs
from cisdl_bench.records import Pixels
from cisdl_bench.results.result import Result, find_results
from cisdl_bench.results.run_summary import write_summary
from cisdl_bench.scoring.conventions import CONVENTIONS
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.one_pair import detect_one
from cisdl_bench.scoring.options import PRECISIONS, make_options
from cisdl_bench.scoring.perturb import Perturbation, parse_perturbations
from cisdl_bench.scoring.run import score as run_scoring
from cisdl_bench.sources.find import split_opener
from cisdl_bench.store.folder import DataFolder
from cisdl_bench.store.opening import open_set

PathLike = str | Path
#: What ``score`` and ``detect`` take: a name, a file, ``module:factory``, what ``load_checkpoint``
#: returned, a network, or any callable of two float32 pictures (N, 3, H, W), RGB in 0 to 1.
Model = str | Path | Checkpoint | PairDetector | NetworkDetector | Callable[..., Any]
Data = PathLike | Pairs
Picture = PathLike | Pixels | Image.Image


def open_pairs(
    path: PathLike,
    *,
    images: PathLike | None = None,
    size: int = 256,
    skip_unusable: bool = False,
    progress: bool = True,
) -> Pairs:
    """Return the pairs of a set, or of a list of other people's pairs.

    ``pairs[17]`` is a ``Pair`` of numpy arrays, ``pairs[:100]`` a part that is read when it is
    used. Pairs pickle as their path.

    Args:
        path: Folder of a set, or its name in the folder of CISDL_DATA or ``cisdl-data``; or a list
            of other people's pairs.
        images: Folder of the pictures, for a list; None is where its format has them.
        size: Side of the canvas in px that the pictures of a list are resized to; a set has its
            own.
        skip_unusable: Whether pairs of a list are left out whose files cannot be read.
        progress: Whether progress and messages are shown.

    Raises:
        CisdlError: There is no such set or list, or it is broken.
    """
    options = ListOptions(_path(images), None, size, skip_unusable)
    return open_one(Path(path), options, Bars(not progress))


def generate(
    sets: PathLike | Sequence[PathLike],
    difficulties: str | Sequence[str] = (),
    *,
    coco: PathLike | None = None,
    out: PathLike | None = None,
    pairs: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> list[Pairs]:
    """Make sets, as ``cisdl-bench generate`` does, and open them.

    What is finished is kept, what was interrupted is resumed. The same arguments give the same
    bytes on every machine.

    Args:
        sets: Names such as ``rotation``, ``rotation-hard``, ``training`` or ``all``, or files of
            specs of your own.
        difficulties: ``difficult`` (or ``hard``), ``normal`` (or ``medi``), ``easy``; none
            given: all.
        coco: Folder of COCO 2014; None takes the one that CISDL_COCO names, else the built-in
            pictures.
        out: Folder that the sets are written to; None is that of CISDL_DATA, or ``cisdl-data``.
        pairs: Number of pairs of each set; None takes the set's.
        seed: Seed of the random parameters.
        jobs: Number of worker processes; None is one a core.
        overwrite: Whether finished sets are made again.
        progress: Whether progress and messages are shown.

    Raises:
        CisdlError: A name is unknown, the pictures cannot be used, or the folder not written.
    """
    for option, value in (("pairs", pairs), ("jobs", jobs)):
        _require(value is None or value >= 1, option, "1 or more", value)
    _require(seed >= 0, "seed", "0 or more", seed)
    bars, folder = Bars(not progress), _path(out) or data_folder()
    open_split = split_opener(_path(coco), folder, bars)
    set_jobs = make_set_jobs(
        _several(sets), _several(difficulties), open_split, seed=seed, pairs=pairs
    )
    workers = jobs or cpu_count()
    make_sets(set_jobs, DataFolder(folder), bars, jobs=workers, overwrite=overwrite)
    return [open_set(folder / job.folder) for job in set_jobs]


def score(
    model: Model,
    data: Data | Sequence[Data] | None = None,
    sets: str | Sequence[str] = (),
    *,
    out: PathLike | None = None,
    name: str = "",
    limit: int | None = None,
    perturb: str | None = None,
    threshold: float = 0.5,
    precision: str = "fp32",
    window: int | None = None,
    convention: str = "",
    device: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    save_masks: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> list[Result]:
    """Score a detector on sets or lists, as ``cisdl-bench score`` does.

    A network at hand is put into evaluation mode, moved to the device, and put back into its mode.

    Args:
        model: Name or file of a detector, ``module:factory``, what ``load_checkpoint`` returned, a
            network, or any callable of two float32 pictures (N, 3, H, W), RGB in 0 to 1, that
            returns two masks of probabilities, (N, h, w) or (N, 1, h, w).
        data: Sets or lists, folders of them, or pairs that are open already; None is the folder
            of CISDL_DATA, or ``cisdl-data``.
        sets: Names of the sets to take from folders, such as ``rotation``; none given: all but
            training sets.
        out: Folder of the results; None is the detector's name in the folder of CISDL_SCORES, or
            in ``cisdl-scores``.
        name: Name that results are filed under; empty is the detector's own.
        limit: Number of pairs of each set, from the first on; None: all.
        perturb: Perturbations such as ``none,jpeg:70``; None leaves pictures as they are.
        threshold: Probability above which a pixel is called tampered, 0 to 1.
        precision: Number format that a network computes in: ``fp32``, ``bf16`` or ``fp16``.
        window: Side of sliding windows in px; None matches whole pictures.
        convention: Data set whose authors' way of counting is used, such as ``biofors``; empty:
            each mask by itself, on the canvas.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:0``.
        batch_size: Number of pairs in a batch; None: 64 on a GPU, 8 else.
        workers: Reading processes of a network (None: one thread reads ahead), or processes of
            another detector (None: one a core).
        save_masks: Whether both masks of every pair are written as 8-bit PNG.
        overwrite: Score again what is finished, and replace results of something else.
        progress: Whether progress and messages are shown.

    Returns:
        The results in order; ``result.summary["iou"]`` is a number, ``result.frame()`` a pandas
        table with a row for each pair.

    Raises:
        CisdlError: The detector or the data cannot be used, an option is out of its range, or
            ``out`` holds results of others.
    """
    for option, value, least in (
        ("limit", limit, 1),
        ("batch_size", batch_size, 1),
        ("workers", workers, 0),
    ):
        _require(value is None or value >= least, option, f"{least} or more", value)
    _require(0 <= threshold <= 1, "threshold", "0 to 1", threshold)
    _require(precision in PRECISIONS, "precision", " or ".join(PRECISIONS), repr(precision))
    known = ("", *CONVENTIONS)
    _require(convention in known, "convention", " or ".join(known[1:]), repr(convention))
    bars, detector = Bars(not progress), _find(model, name)
    data = data_folder() if data is None else data
    given = [data] if isinstance(data, (str, Path, Pairs)) else list(data)
    folders = [Path(one) for one in given if not isinstance(one, Pairs)]
    opened = [one for one in given if isinstance(one, Pairs)]
    if folders:
        opened += open_chosen(folders, _several(sets), ListOptions(), bars)
    _require(bool(opened), "data", "sets or lists to score", "none")
    for pairs in opened:
        _require(len(pairs) > 0, pairs.name, "pairs to score", "none")
    perturbations = parse_perturbations(perturb) if perturb else [Perturbation()]
    jobs = [ScoreJob(pairs[:limit], each) for pairs in opened for each in perturbations]
    target = _path(out) or scores_folder() / detector.name
    with _evaluating(detector):
        chosen = make_options(
            detector,
            device,
            bars,
            threshold=threshold,
            precision=precision,
            window=window,
            convention=convention,
            batch_size=batch_size,
            workers=workers,
            save_masks=save_masks,
        )
        records = run_scoring(detector, jobs, target, chosen, bars, overwrite=overwrite)
    write_summary(target)
    return [Result(target / job.name, record) for job, record in zip(jobs, records, strict=True)]


def load_results(run: PathLike) -> list[Result]:
    """Return the finished results of a scoring run, or of one of its sets, by set.

    Args:
        run: Folder such as ``cisdl-scores/sift-ransac``, or its name in the folder of scores.

    Raises:
        CisdlError: There is none, or one cannot be read.
    """
    return find_results(find_named(Path(run), scores_folder()))


def load_checkpoint(path: PathLike) -> Checkpoint:
    """Return a checkpoint's network in evaluation mode; no code of the file is executed.

    Args:
        path: File of the toolkit, the DMAC authors' ``.pth``, DMVN's ``.h5``, or the name of a
            network of the package, such as ``consensus-frozen``.

    Returns:
        ``network`` is a torch module whose ``detect(probe, donor)`` takes uint8 pictures
        (N, 3, H, W) and returns masks (N, H, W), 0 to 1.

    Raises:
        CisdlError: It is missing, broken, of another network, or asks to run code.
    """
    return find_checkpoint(str(path))


def detect(
    model: Model,
    probe: Picture,
    donor: Picture,
    *,
    size: int = 256,
    device: str = "auto",
    progress: bool = False,
) -> Detection[Probability]:
    """Say whether a region of the donor was pasted into the probe, and where, in both.

    Args:
        model: Name or file of a detector, ``module:factory``, what ``load_checkpoint`` returned, a
            network, or any callable of two float32 pictures (N, 3, H, W), RGB in 0 to 1, that
            returns two masks of probabilities, (N, h, w) or (N, 1, h, w).
        probe: Picture file, uint8 RGB (H, W, 3), or a picture of Pillow's.
        donor: The other picture, of any other size.
        size: Side of the square canvas in px that both are resized to for the detector.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:0``.
        progress: Whether messages are shown.

    Returns:
        ``probe`` and ``donor``: probability of each pixel at the picture's own size, float32
        (H, W), 0 to 1; ``score``: probability that they share a region.

    Raises:
        CisdlError: A picture or the detector cannot be used.
    """
    detector, bars = _find(model, ""), Bars(not progress)
    pictures = [_read(picture, side) for picture, side in ((probe, "probe"), (donor, "donor"))]
    with _evaluating(detector):
        options = make_options(detector, device, bars)
        return detect_one(detector, pictures[0], pictures[1], size, options)


def _require(ok: bool, where: str, what: str, got: object) -> None:
    if not ok:
        raise CisdlError.expected(where, what, got, "Correct it")


def _find(model: Model, name: str) -> Detector:
    """Return what a model means as a detector, under another name where one is given."""
    if isinstance(model, (str, Path)):
        detector = find_detector(str(model))
    elif isinstance(model, (PairDetector, NetworkDetector)):
        detector = model
    else:
        return wrap_network(model, check_name(name) if name else "")
    return rename_detector(detector, name) if name else detector


@contextmanager
def _evaluating(detector: Detector) -> Iterator[None]:
    """Put a network into evaluation mode, and back into its mode afterwards."""
    network = detector.network if isinstance(detector, NetworkDetector) else None
    modes = {part: part.training for part in network.modules()} if network is not None else {}
    if network is not None:
        network.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def _read(picture: Picture, side: str) -> Pixels:
    if isinstance(picture, (str, Path)):
        return read_picture(Path(picture))
    if isinstance(picture, Image.Image):
        return np.array(picture.convert("RGB"))
    array = np.asarray(picture)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
        got = f"{array.dtype} {array.shape}"
        raise SourceError.expected(side, "a uint8 RGB picture (H, W, 3)", got, "Convert it")
    return array


def _path(path: PathLike | None) -> Path | None:
    return None if path is None else Path(path)


def _several(names: PathLike | Sequence[PathLike]) -> list[str]:
    return [str(names)] if isinstance(names, (str, Path)) else [str(name) for name in names]
