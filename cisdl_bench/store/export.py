"""Writing a set in formats that other programs read."""

import errno
import io
import json
import math
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from cisdl_bench.csv_text import format_csv
from cisdl_bench.errors import StoreError, cause, next_step
from cisdl_bench.pairs import Pair
from cisdl_bench.scratch import scratch_folder
from cisdl_bench.store.croissant import PNG, FileGroup
from cisdl_bench.store.describe import CROISSANT, PAIRS, describe_export
from cisdl_bench.store.encode import encode_png
from cisdl_bench.store.layout import allocated
from cisdl_bench.store.reader import PairSet

FORMATS = ("pairs-h5", "release", "webdataset")
_PAIRS_A_TAR = 1000
_SMALL_BYTES, _HEADER_BYTES = 400, 1 << 20  # of a pair's numbers, and of what HDF5 adds

Advance = Callable[[int], None]


def export(pairs: PairSet, target: Path, form: str, advance: Advance) -> None:
    """Write a whole set in one of ``FORMATS``, or nothing where that fails.

    - ``pairs-h5``: one HDF5 file, each pair in full: ``probe`` and ``donor`` uint8 (n, S, S, 3)
      RGB, ``probe_mask`` and ``donor_mask`` uint8 0 or 1 (n, S, S), ``label``, ``kind``, and
      ``numbers``, a table of the composite's ids and parameters.
    - ``release``: a folder as the DMAC authors' release has it, their CSV (``image1`` the donor,
      ``image2`` the composite, ``label``, ``gt1``, ``gt2``, paths relative to the folder) and
      PNG files, so that nothing is lost.
    - ``webdataset``: a folder of tar files of 1,000 pairs, ``KEY.probe.png``, ``KEY.donor.png``,
      ``KEY.probe_mask.png``, ``KEY.donor_mask.png`` and ``KEY.json``.

    Args:
        pairs: Generated set that is exported.
        target: File or folder that is written.
        form: Format, one of ``FORMATS``.
        advance: Called with the number of pairs that were written.

    Raises:
        StoreError: The target exists or cannot be written.
    """
    beside = form == "pairs-h5"
    names = [target.name]
    if beside:
        names = [f"{target.stem}.{PAIRS}", f"{target.stem}.{CROISSANT}", target.name]
    for name in names:
        if (target.parent / name).exists():
            raise StoreError(f"{target.parent / name} exists. Remove it, or choose another -o.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(target) as partial:
            made = partial / target.name
            described: dict[str, Any] = {"prefix": f"{target.stem}."}
            if form == "pairs-h5":
                _write_h5(pairs, made, advance)
            elif form == "release":
                described = {
                    "table": _write_release(pairs, made, advance),
                    "groups": [FileGroup("png-files", PNG, "*/*.png", "pictures")],
                }
            else:
                _write_tars(pairs, made, advance)
                described = {}
            folder = partial if beside else made
            describe_export(folder, pairs.manifest, pairs.rows, **described)
            for name in names:
                (partial / name).replace(target.parent / name)
    except OSError as error:
        then = next_step(error, "Choose another -o")
        raise StoreError(f"{target} cannot be written: {cause(error)}. {then}.") from error


def _write_h5(pairs: PairSet, path: Path, advance: Advance) -> None:
    n, size = len(pairs), pairs.size
    picture, mask = (n, size, size, 3), (n, size, size)
    shapes = {"probe": picture, "donor": picture, "probe_mask": mask, "donor_mask": mask}
    needed = 8 * n * size * size + (_SMALL_BYTES * n + _HEADER_BYTES)
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    # HDF5 crashes where the disk fills up under it: it makes the file, and never sees the pixels.
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "cisdl-bench pairs"
        file.attrs["fingerprint"] = pairs.manifest["fingerprint"]
        kinds = len(pairs.kinds)
        file["label"] = np.array([pairs.label(i) for i in range(n)], dtype=np.uint8)
        file["kind"] = [pairs.kinds[i % kinds] for i in range(n)]
        dropped = ("start", *(f"patch_{s}" for s in ("top", "left", "height", "width")))
        names = [name for name in pairs.rows.dtype.names or () if name not in dropped]
        file["numbers"] = np.repeat(_packed(pairs.rows[names]), kinds)
        offsets = {name: allocated(file, name, shape) for name, shape in shapes.items()}
    with path.open("r+b", buffering=0) as raw:
        end = max(offsets[name] + math.prod(shape) for name, shape in shapes.items())
        os.posix_fallocate(raw.fileno(), 0, end)
        for i, pair in enumerate(pairs):
            for name, offset in offsets.items():
                value = np.ascontiguousarray(getattr(pair, name)).view(np.uint8)
                os.pwrite(raw.fileno(), value.data, offset + i * value.nbytes)
            advance(1)


def _packed(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    from numpy.lib.recfunctions import repack_fields

    return np.asarray(repack_fields(rows))


def _write_release(pairs: PairSet, root: Path, advance: Advance) -> str:
    """Write the folder; return the name of its table."""
    split, size = pairs.manifest["source"]["name"], pairs.size
    folders = (f"{split}resize_{size}", "combine", "gt_combine")
    for folder in folders:
        (root / folder).mkdir(parents=True)
    rows = []
    for pair in pairs:
        donor, probe = _release_names(pair, split)
        where = folders[0] if pair.kind == "negative" else folders[1]
        files = (
            (f"{folders[0]}/{donor}.png", pair.donor),
            (f"{where}/{probe}.png", pair.probe),
            (f"{folders[2]}/{donor}_{probe}.png", pair.donor_mask),
            (f"{folders[2]}/{probe}_{donor}.png", pair.probe_mask),
        )
        for path, picture in files:
            if not (root / path).exists():
                (root / path).write_bytes(encode_png(picture))
        donor_path, probe_path, donor_mask, probe_mask = (path for path, _ in files)
        rows.append(
            {
                "image1": donor_path,
                "image2": probe_path,
                "label": pair.label,
                "gt1": donor_mask,
                "gt2": probe_mask,
            }
        )
        advance(1)
    table = root / f"{root.name}.csv"
    table.write_text(format_csv(rows), "utf-8")
    return table.name


def _release_names(pair: Pair, split: str) -> tuple[str, str]:
    """Return the stems of the donor and of the probe, after the release's pattern."""
    numbers = pair.numbers
    donor, background = (
        f"COCO_{split}_{numbers[name]:012d}" for name in ("donor_id", "background_id")
    )
    composite = f"{donor}_{numbers['annotation_id']}_{background}_{numbers['index']}_combine"
    first = background if pair.kind == "background" else donor
    return first, background if pair.kind == "negative" else composite


def _write_tars(pairs: PairSet, root: Path, advance: Advance) -> None:
    root.mkdir()
    for first in range(0, len(pairs), _PAIRS_A_TAR):
        with tarfile.open(root / f"pairs-{first // _PAIRS_A_TAR:05d}.tar", "w") as tar:
            for i in range(first, min(first + _PAIRS_A_TAR, len(pairs))):
                pair = pairs[i]
                about = {**pair.numbers, "label": pair.label, "kind": pair.kind}
                parts = {
                    "probe.png": encode_png(pair.probe),
                    "donor.png": encode_png(pair.donor),
                    "probe_mask.png": encode_png(pair.probe_mask),
                    "donor_mask.png": encode_png(pair.donor_mask),
                    "json": json.dumps(about, allow_nan=False).encode(),
                }
                for ending, data in parts.items():
                    entry = tarfile.TarInfo(f"{i:08d}.{ending}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
                advance(1)
