"""``export --format dmac-train``: a training set as the tree that the DMAC authors' code reads.

``dmac_tree`` has the names. Files are written by several processes, each whole or not at all; the
nine lists come last. An export that was interrupted is resumed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

import joblib
import numpy as np
import numpy.typing as npt

from cisdl_bench.engine import workers
from cisdl_bench.errors import StoreError
from cisdl_bench.progress import Progress
from cisdl_bench.records import KINDS
from cisdl_bench.scratch import sweep
from cisdl_bench.store.atomic import locked, read_json, write_json, write_lines, write_whole
from cisdl_bench.store.croissant import JPEG, PNG, FileGroup
from cisdl_bench.store.describe import describe_export
from cisdl_bench.store.dmac_tree import COMBINE, LISTS, MASKS, TrainingTree, count_repeats
from cisdl_bench.store.encode import encode_jpeg, encode_png
from cisdl_bench.store.reader import PairSet

FORM = "dmac-train"
PICTURE_FORMATS = ("jpg", "png")
#: Notes what an unfinished export is of; a finished one has none.
_REQUEST = ".export.json"
_TASK = 64  # composites or pictures, written in one go


@dataclass(frozen=True)
class PictureFormat:
    """How the pictures of a tree are saved; masks are always PNG.

    Attributes:
        ending: Format and ending of the files, one of ``PICTURE_FORMATS``.
        quality: JPEG quality, 1 to 100.
    """

    ending: str = "jpg"
    quality: int = 75

    def encode(self, picture: npt.NDArray[np.uint8]) -> bytes:
        """Return the file of a picture, uint8 RGB (H, W, 3)."""
        return encode_png(picture) if self.ending == "png" else encode_jpeg(picture, self.quality)


class _Request(TypedDict):
    """What decides the bytes of an export."""

    form: str
    fingerprint: str
    ending: str
    quality: int


def export_dmac_train(
    pairs: PairSet,
    target: Path,
    progress: Progress,
    pictures: PictureFormat = PictureFormat(),
    jobs: int = -1,
) -> None:
    """Write a training set as the DMAC authors' generator does. Resumes an interrupted export.

    Two composites of one instance and one background would have one name: the second and later
    ones have their number before ``_combine``.

    Args:
        pairs: Training set, with foreground, background and negative pairs.
        target: Folder that is written, with ``DMAC-COCO`` in it.
        progress: Receives progress updates and messages.
        pictures: Format of the pictures.
        jobs: Number of processes; -1 is one for each core.

    Raises:
        StoreError: The set is no training set, or the target holds something else or cannot be
            written.
    """
    tree = _plan_tree(pairs, pictures)
    request = _Request(
        form=FORM,
        fingerprint=pairs.fingerprint,
        ending=pictures.ending,
        quality=pictures.quality,
    )
    _check_target(target, request)
    with locked(target):
        try:
            _check_target(target, request)
            if (target / _REQUEST).exists():
                progress.say(f"{target}: resumes an export that was interrupted")
            write_json(target / _REQUEST, request)
            _write_tree(pairs, target, tree, pictures, progress, jobs)
            (target / _REQUEST).unlink()
        finally:
            (target / ".lock").unlink(missing_ok=True)


def _plan_tree(pairs: PairSet, pictures: PictureFormat) -> TrainingTree:
    lacking = [kind for kind in KINDS if kind not in pairs.kinds]
    if lacking:
        raise StoreError(
            f"{pairs.path}: the set has no {' and no '.join(lacking)} pairs, so it is no training "
            "set. Run `cisdl-bench generate --set training`, or choose another --format."
        )
    split = str(pairs.manifest["source"]["name"])
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", split):
        raise StoreError.expected(
            f"{pairs.path}: the source's name",
            "letters, digits, _ . and - alone, since readers split lists at commas",
            repr(split),
            "Generate the set again from a source of another name",
        )
    return TrainingTree(split, pairs.size, pictures.ending)


def _check_target(target: Path, request: _Request) -> None:
    """Refuse a target that holds anything but an unfinished export of the same request.

    Raises:
        StoreError: It does.
    """
    if not (target.exists() or target.is_symlink()):
        return
    noted = target / _REQUEST
    if not noted.exists():
        names = [path.name for path in target.iterdir()] if target.is_dir() else [target.name]
        if all(name.startswith(".") for name in names) and target.is_dir():
            return  # a run that ended before its request was noted
        raise StoreError(f"{target} exists. Remove it, or choose another -o.")
    then = "Remove that folder, or choose another -o"
    before: dict[str, Any] = read_json(noted, "what an unfinished export is of", _Request, then)
    differing = [key for key, value in request.items() if before[key] != value]
    if differing:
        key = differing[0]
        raise StoreError(
            f"{target} holds an unfinished export of something else ({key}: {before[key]}, not "
            f"{request[key]}). {then}."  # type: ignore[literal-required]
        )


def _write_tree(
    pairs: PairSet,
    target: Path,
    tree: TrainingTree,
    pictures: PictureFormat,
    progress: Progress,
    jobs: int,
) -> None:
    root = (target / tree.folder).absolute()
    folders = [root / name for name in (tree.resized, COMBINE, MASKS, LISTS)]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
    path, rows, kinds = pairs.path.absolute(), pairs.rows, len(pairs.kinds)
    repeats = count_repeats(rows)
    ids = np.unique(np.concatenate([rows["donor_id"], rows["background_id"]]))
    with workers(jobs, return_as="generator_unordered") as parallel:
        progress.start("pictures", len(ids))
        tasks: Iterator[Any] = (
            joblib.delayed(_write_pictures)(path, root, tree, pictures, ids[k : k + _TASK])
            for k in range(0, len(ids), _TASK)
        )
        for n in parallel(tasks):
            progress.advance(n)
        progress.stop()
        progress.start("pairs", len(pairs))
        tasks = (
            joblib.delayed(_write_composites)(
                path, root, tree, pictures, k, repeats[k : k + _TASK].tolist()
            )
            for k in range(0, len(rows), _TASK)
        )
        for n in parallel(tasks):
            progress.advance(n * kinds)
        progress.stop()
    lists = []
    for name, lines in tree.lists(rows):
        write_lines(root / name, lines)
        lists.append(target / tree.folder / name)
    for folder in folders:
        sweep(folder)  # what workers that were killed left
    below, encoding = tree.folder, PNG if pictures.ending == "png" else JPEG
    groups = (
        FileGroup("resized", encoding, f"{below}/{tree.resized}/*.{pictures.ending}", "pictures"),
        FileGroup("combine", encoding, f"{below}/{COMBINE}/*.{pictures.ending}", "composites"),
        FileGroup("gt_combine", PNG, f"{below}/{MASKS}/*.png", "masks"),
    )
    describe_export(target, pairs.manifest, rows, groups=groups, lists=sorted(lists))


@lru_cache(maxsize=1)
def _open_once(path: Path) -> PairSet:
    return PairSet(path)  # once a process, not once a task


def _write_pictures(
    path: Path, root: Path, tree: TrainingTree, pictures: PictureFormat, ids: npt.NDArray[np.int64]
) -> int:
    store = _open_once(path).pictures
    picture = np.empty((tree.size, tree.size, 3), dtype=np.uint8)
    for picture_id, position in zip(ids.tolist(), store.positions(ids).tolist(), strict=True):
        file = root / tree.picture(picture_id)
        if not _is_written(file):
            store.read_into(position, picture)
            write_whole(file, pictures.encode(picture), flush=False)
    return len(ids)


def _write_composites(
    path: Path,
    root: Path,
    tree: TrainingTree,
    pictures: PictureFormat,
    first: int,
    repeats: Sequence[int],
) -> int:
    """Write the files of some composites, from the ``first`` on; return their number."""
    pairs = _open_once(path)
    foreground, background = (pairs.kinds.index(kind) for kind in ("foreground", "background"))
    for composite, repeat in enumerate(repeats, start=first):
        files = tree.composite(pairs.rows[composite], repeat)
        if all(_is_written(root / name) for name in files):
            continue
        pair = pairs.pair(composite * len(pairs.kinds) + foreground)
        shared = pairs.pair(composite * len(pairs.kinds) + background).probe_mask
        contents = {
            files.composite: pictures.encode(pair.probe),
            files.donor: encode_png(pair.donor_mask),
            files.probe: encode_png(pair.probe_mask),
            files.background: encode_png(shared),
        }
        for name, data in contents.items():
            write_whole(root / name, data, flush=False)
    return len(repeats)


def _is_written(file: Path) -> bool:
    """Return whether a file is there; an empty one was lost with the machine's power."""
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:
        return False
