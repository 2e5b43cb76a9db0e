"""The layout of what is on disk, enough to write a reader from.

::

    OUT/
      pictures/SOURCE-SIZE-RESIZE/        one picture store for each source and canvas
        manifest.json                     {"shards": [{"name", "rows", "bytes", "sha256"}], ...}
        pictures-00000.h5
      rotation-difficult/                 a set
        manifest.json                     spec, seed, source, counts, fingerprint, shards
        shard-00000.h5
        composites.csv                    what ``composites`` of all shards holds, but boxes
        croissant.json                    the set in Croissant, for other tools

A **picture shard** holds, for n pictures on a canvas of S by S px:

- ``id``: int64 (n,), the picture's id in the source;
- ``pixels``: uint8 (n, S, S, 3), RGB, contiguous, not compressed;
- ``digest``: uint8 (n, 32), SHA-256 of the picture's pixels in C order.

A **composite shard** holds, for n composites:

- ``composites``: a table of n rows with the fields of ``row_type``: ids, difficulty (0 difficult,
  1 normal, 2 easy), ``opaque``, areas, a column for each of the set's parameters (``parameters``
  in its manifest), three boxes (top, left, height, width), and ``start``;
- ``bytes``: uint8, one flat array; from ``start`` on lie, without gaps, the patch (height x width
  x 3, RGB, C order), the probe mask and the donor mask of the row, each mask cut to its box, its
  rows packed eight pixels a byte, the leftmost in the highest bit, the last byte filled with 0;
- ``digest``: uint8 (n, 32); see ``composite_digest``.

The composite is its background picture with the patch put at ``patch_*`` where the probe mask is
set (everywhere in the box where ``opaque`` is 1). From composite c and the set's K kinds come the
pairs ``c * K + k`` (the records module says which pictures and masks each kind has; the background
kind's masks are both the complement of the probe mask, the negative kind's are empty). Shards
follow each other in the order of the manifest. The set's fingerprint is ``set_fingerprint``.
"""

import hashlib
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import StoreError
from cisdl_bench.records import DIFFICULTIES, Box, Composite, Mask
from cisdl_bench.store.flat import AGAIN, Column

LAYOUT = 2
SET_FORMAT = "cisdl-bench set"
PICTURES_FORMAT = "cisdl-bench pictures"
MANIFEST = "manifest.json"

_BOXES = ("patch", "probe", "donor")

Bytes = npt.NDArray[np.uint8]

DIGEST = Column(np.uint8, (32,))
#: The small datasets of a picture shard, see the module's description.
PICTURES = {"id": Column(np.int64), "digest": DIGEST}


def row_type(parameters: Iterable[str]) -> np.dtype[Any]:
    """Return the type of a row of the table ``composites``.

    Args:
        parameters: Columns of the set's parameters, in order.

    >>> row_type(["scale"])["scale"]
    dtype('float64')
    """
    return np.dtype(
        [
            ("index", "<i8"),
            ("donor_id", "<i8"),
            ("background_id", "<i8"),
            ("annotation_id", "<i8"),
            ("difficulty", "u1"),
            ("opaque", "u1"),
            ("probe_area_px", "<i4"),
            ("donor_area_px", "<i4"),
            *[(name, "<f8") for name in parameters],
            *[(f"{box}_{edge}", "<i2") for box in _BOXES for edge in Box._fields],
            ("start", "<i8"),
        ]
    )


def composite_columns(parameters: Iterable[str]) -> dict[str, Column]:
    """Return the small datasets of a composite shard, see the module's description."""
    return {"composites": Column(row_type(parameters)), "digest": DIGEST}


def composite_row(composite: Composite, start: int) -> tuple[Any, ...]:
    """Return a composite's row of the table ``composites``."""
    return (
        composite.index,
        composite.donor_id,
        composite.background_id,
        composite.annotation_id,
        DIFFICULTIES.index(composite.difficulty),
        composite.opaque,
        np.count_nonzero(composite.probe_mask.bits),
        np.count_nonzero(composite.donor_mask.bits),
        *composite.parameters.values(),
        *composite.patch_box,
        *composite.probe_mask.box,
        *composite.donor_mask.box,
        start,
    )


def pack_composite(composite: Composite) -> tuple[Bytes, Bytes, Bytes]:
    """Return what a composite puts into the flat array ``bytes``, three arrays in order."""
    probe, donor = composite.probe_mask.bits, composite.donor_mask.bits
    return composite.patch, np.packbits(probe, axis=1), np.packbits(donor, axis=1)


def row_lengths(row: Any) -> tuple[Any, Any, Any]:
    """Return the lengths in bytes of the patch, probe mask and donor mask of a row or of rows."""
    patch = row["patch_height"].astype(np.int64) * row["patch_width"] * 3
    masks = (
        row[f"{name}_height"].astype(np.int64) * ((row[f"{name}_width"] + np.int64(7)) // 8)
        for name in ("probe", "donor")
    )
    return (patch, *masks)


def read_box(row: Any, name: str) -> Box:
    """Return one of a row's boxes: ``patch``, ``probe`` or ``donor``."""
    return Box(*(int(row[f"{name}_{edge}"]) for edge in Box._fields))


def check_boxes(rows: npt.NDArray[Any], names: Sequence[str], size: int, path: Path) -> None:
    """Refuse rows with a box that leaves the canvas.

    Args:
        rows: Table with four int16 fields for each box.
        names: Names of the boxes, such as ``probe``.
        size: Side of the canvas in px.
        path: File that an error names.

    Raises:
        StoreError: A box has a negative side or ends outside.
    """
    for name in names:
        top, left, height, width = (rows[f"{name}_{edge}"].astype(np.int64) for edge in Box._fields)
        inside = (np.minimum(top, left) >= 0) & (np.minimum(height, width) >= 0)
        inside &= (top + height <= size) & (left + width <= size)
        if not inside.all():
            row = rows[int(np.argmin(inside))]
            raise StoreError.expected(
                f"{path}: {row['index']}",
                f"a {name} box on a canvas of {size} px",
                tuple(read_box(row, name)),
                AGAIN,
            )


def unpacked(bits: Bytes, box: Box) -> Mask:
    """Return a packed mask, uint8 (n,), as bool of shape (box.height, box.width)."""
    rows = bits.reshape(box.height, -1)
    return np.unpackbits(rows, axis=1, count=box.width).view(bool)


def composite_digest(donor: bytes, background: bytes, composite: Bytes, boxes: bytes) -> bytes:
    """Return the SHA-256 of what a composite's pairs are made of.

    Args:
        donor: Digest of the donor picture, 32 bytes.
        background: Digest of the background picture, 32 bytes.
        composite: Part of the array ``bytes`` that is the composite's, contiguous.
        boxes: The row's ``opaque`` (one byte) and its twelve box fields, int16 little-endian.
    """
    total = hashlib.sha256(donor + background + boxes)
    total.update(composite.data)
    return total.digest()


def pack_boxes(rows: npt.NDArray[Any]) -> list[bytes]:
    """Return, for each row, ``opaque`` and the box fields as ``composite_digest`` takes them."""
    names = [f"{box}_{edge}" for box in _BOXES for edge in Box._fields]
    sides = np.stack([rows[name] for name in names], axis=1).astype("<i2")
    return [
        bytes([opaque]) + side.tobytes() for opaque, side in zip(rows["opaque"], sides, strict=True)
    ]


def set_fingerprint(digests: Iterable[Bytes], kinds: Sequence[str], size: int) -> str:
    """Return the fingerprint of a set's content: pixels, masks and labels in their order.

    It does not depend on shards, compression or parameters: SHA-256 over one line that names
    the size and the kinds, then the digests of all composites.

    Args:
        digests: uint8 arrays of shape (n, 32), together all composites in order.
        kinds: The set's kinds in order.
        size: Side of the canvas in px.
    """
    total = hashlib.sha256(f"cisdl-bench pairs {size} {' '.join(kinds)}\n".encode())
    for block in digests:
        total.update(np.ascontiguousarray(block).tobytes())
    return total.hexdigest()


def h5_header(
    small: dict[str, Any], large: str, shape: tuple[int, ...], attributes: dict[str, Any]
) -> bytes:
    """Return the beginning of an HDF5 file, to be followed by one large uint8 dataset's bytes.

    HDF5 itself never sees the large dataset, so a full disk cannot catch it half-way, and its
    bytes are copied once. The same content gives the same file: no times are stored.

    Args:
        small: Datasets by name that are written in the header itself.
        large: Name of the uint8 dataset that follows.
        shape: Shape of the dataset that follows.
        attributes: Attributes of the file.

    >>> data = np.arange(5, dtype=np.uint8)
    >>> file = h5_header({"id": [7]}, "bytes", (5,), {"layout": 1}) + data.tobytes()
    >>> h5py.File(BytesIO(file))["bytes"][:].tolist()
    [0, 1, 2, 3, 4]
    """
    memory = BytesIO()
    with h5py.File(memory, "w") as file:
        file.attrs.update(attributes)
        for name, value in small.items():
            file.create_dataset(name, data=value)
        file.flush()
        offset = allocated(file, large, shape)
    header = memory.getvalue()
    if len(header) > offset:
        raise AssertionError(f"HDF5 put {large} at {offset} of {len(header)}")
    return header + bytes(offset - len(header))


def allocated(file: h5py.File, name: str, shape: tuple[int, ...]) -> int:
    """Make a contiguous uint8 dataset without writing it; return where its bytes lie in the file.

    Args:
        file: HDF5 file that is being written.
        name: Name of the dataset.
        shape: Shape of the dataset.
    """
    created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    created.set_layout(h5py.h5d.CONTIGUOUS)
    created.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    created.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    created.set_obj_track_times(False)
    space = h5py.h5s.create_simple(shape)
    kind = h5py.h5t.STD_U8LE
    offset = h5py.h5d.create(file.id, name.encode(), kind, space, dcpl=created).get_offset()
    if offset is None:
        raise AssertionError(f"HDF5 did not allocate {name}")
    return int(offset)
