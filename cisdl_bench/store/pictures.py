"""The picture store: every resized photograph once, shared by the sets of one source and size."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import StoreError
from cisdl_bench.hashing import hash_file
from cisdl_bench.records import Pixels
from cisdl_bench.store.atomic import flushed, read_json, write_json, write_shard
from cisdl_bench.store.flat import AGAIN, OpenFiles, open_shard
from cisdl_bench.store.layout import LAYOUT, MANIFEST, PICTURES, PICTURES_FORMAT, h5_header
from cisdl_bench.store.shapes import PicturesManifest

Ints = npt.NDArray[np.int64]

_SHARD_BYTES = 100 << 20  # pixels of one shard, at most
_SHARE = 8  # of what is left, what a shard takes


@dataclass(frozen=True)
class PictureFolder:
    """A picture store as writers see it; the parent keeps the manifest, workers write shards.

    Attributes:
        path: Folder of the store.
        size: Side of the canvas in px.
    """

    path: Path
    size: int

    @property
    def per_shard(self) -> int:
        """Number of pictures of one shard."""
        return max(1, _SHARD_BYTES // (self.size * self.size * 3))

    def manifest(self) -> dict[str, Any]:
        """Return the manifest; that of an empty store where there is none yet."""
        if not (self.path / MANIFEST).exists():
            empty: dict[str, Any] = {"format": PICTURES_FORMAT, "layout": LAYOUT, "size": self.size}
            return {**empty, "shards": [], "unusable": {}, "pending": {}}
        return read_store(self.path)

    def check(self, *, thorough: bool) -> list[str]:
        """Take shards that are damaged or missing off the manifest; return their names.

        Args:
            thorough: Whether every shard is hashed; else its size alone is looked at.
        """
        manifest = self.manifest()
        entries = [entry for entry in manifest["shards"] if entry["rows"]]
        checked = joblib.Parallel(n_jobs=-1, prefer="threads")(
            joblib.delayed(intact)(self.path / entry["name"], entry, thorough) for entry in entries
        )
        damaged = [entry["name"] for entry, ok in zip(entries, checked, strict=True) if not ok]
        if damaged:
            kept = [entry for entry in manifest["shards"] if entry["name"] not in damaged]
            write_json(self.path / MANIFEST, {**manifest, "shards": kept, "pending": {}})
        return damaged

    def retry(self, ids: Sequence[int]) -> None:
        """Forget that pictures could not be used: they are asked for again."""
        manifest = self.manifest()
        keys = {str(key) for key in ids} & set(manifest["unusable"])
        if keys:
            unusable = {k: why for k, why in manifest["unusable"].items() if k not in keys}
            write_json(self.path / MANIFEST, {**manifest, "unusable": unusable, "pending": {}})

    def version(self) -> str:
        """Return a hash that changes with the store's content."""
        total = hashlib.sha256()
        for entry in self.manifest()["shards"]:
            total.update(f"{entry['name']} {entry['sha256']}\n".encode())
            if entry["rows"]:  # a shard that was made again has another file under its old name
                state = (self.path / entry["name"]).stat()
                total.update(f"{state.st_ino} {state.st_mtime_ns}\n".encode())
        return total.hexdigest()

    def missing(self, ids: Ints, purpose: str) -> list[tuple[str, Ints]]:
        """Return the shards still to be written, so that the store holds the given pictures.

        The division into shards is noted before the first one is written, so that a resumed run
        has the same division.

        Args:
            ids: Picture ids, in the order in which they will be needed.
            purpose: Hash of the work that needs the pictures; an unfinished division of other work
                is dropped.
        """
        manifest = self.manifest()
        done = {entry["name"] for entry in manifest["shards"]}
        pending = manifest["pending"]
        if pending.get("purpose") != purpose:
            reader = PictureReader(self.path)
            unusable = np.array([int(key) for key in manifest["unusable"]], dtype=np.int64)
            wanted = np.asarray(list(dict.fromkeys(ids.tolist())), dtype=np.int64)
            wanted = wanted[~np.isin(wanted, np.concatenate([reader.ids, unusable]))]
            first = 1 + max((_number(name) for name in done), default=-1)
            pending = {"purpose": purpose, "first": first, "ids": wanted.tolist()}
            manifest["pending"] = pending
            if len(wanted):
                write_json(self.path / MANIFEST, manifest)
        wanted = np.asarray(pending["ids"], dtype=np.int64)
        ends = np.cumsum(_divided(len(wanted), self.per_shard))
        names = (f"pictures-{pending['first'] + k:05d}.h5" for k in range(len(ends)))
        blocks = zip(names, np.split(wanted, ends[:-1]), strict=True) if len(ends) else ()
        return [(name, block) for name, block in blocks if name not in done]

    def write(self, name: str, ids: Ints, pixels: Pixels) -> dict[str, Any]:
        """Write one shard of pictures, uint8 (n, size, size, 3); return its manifest entry."""
        digests = [hashlib.sha256(picture.data).digest() for picture in pixels]
        small = {
            "id": ids,
            "digest": np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 32),
        }
        attributes = {"format": PICTURES_FORMAT, "layout": LAYOUT, "size": self.size}
        header = h5_header(small, "pixels", pixels.shape, attributes)
        return {
            "name": name,
            "rows": len(ids),
            **write_shard(self.path / name, header, pixels.data),
        }

    def add(self, entry: dict[str, Any] | None, unusable: dict[int, str], name: str) -> None:
        """Note a finished shard and the pictures of its block that cannot be used."""
        if entry:
            flushed(self.path / name)
        manifest = self.manifest()
        entry = entry or {"name": name, "rows": 0, "bytes": 0, "sha256": ""}
        shards = [*manifest["shards"], entry]
        manifest["shards"] = sorted(shards, key=lambda shard: str(shard["name"]))
        manifest["unusable"].update({str(key): reason for key, reason in unusable.items()})
        write_json(self.path / MANIFEST, manifest)

    def reader(self, version: str) -> "PictureReader":
        """Return a reader of the store as of a ``version``, kept while it lasts."""
        return _reader(self.path, version)


def _divided(n: int, most: int) -> list[int]:
    """Return the rows of each shard: smaller ones last, so that all workers end together.

    >>> _divided(1000, 400)
    [125, 109, 95, 83, 73, 64, 56, 50, 50, 50, 50, 50, 50, 50, 45]
    """
    shards = []
    while n:
        shards.append(min(n, most, max(n // _SHARE, -(-most // _SHARE))))
        n -= shards[-1]
    return shards


def _number(name: str) -> int:
    return int(name.removeprefix("pictures-").removesuffix(".h5"))


@dataclass
class PictureReader:
    """Pictures of a store by their id; safe after fork, small to pickle.

    Attributes:
        path: The store's folder.
        ids: int64, (n,), rising.
        digests: uint8, (n, 32), in the order of ``ids``.
    """

    path: Path
    ids: Ints = field(init=False)
    digests: npt.NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        self._files = OpenFiles()
        self.size = 0
        self._shards: list[tuple[Path, int]] = []
        self._where = np.zeros((0, 2), dtype=np.int64)
        ids, digests, where = [], [], []
        if (self.path / MANIFEST).exists():
            manifest = read_store(self.path)
            self.size = int(manifest["size"])
            for entry in filter(lambda shard: shard["rows"], manifest["shards"]):
                path = self.path / entry["name"]
                offset, shard_ids, shard_digests = _header(path, entry["sha256"], self.size)
                place = np.full((len(shard_ids), 2), len(self._shards), dtype=np.int64)
                place[:, 1] = np.arange(len(shard_ids))
                self._shards.append((path, offset))
                ids.append(shard_ids)
                digests.append(shard_digests)
                where.append(place)
        joined = np.concatenate(ids) if ids else np.zeros(0, dtype=np.int64)
        order = np.argsort(joined, kind="stable")
        self.ids = joined[order]
        empty = np.zeros((0, 32), dtype=np.uint8)
        self.digests = (np.concatenate(digests) if digests else empty)[order]
        self._where = (np.concatenate(where) if where else self._where)[order]

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path = state["path"]
        self.__post_init__()

    def positions(self, ids: Ints) -> Ints:
        """Return where ids stand in ``ids``.

        Raises:
            StoreError: The store lacks one.
        """
        at = np.minimum(np.searchsorted(self.ids, ids), max(len(self.ids) - 1, 0))
        lacking = ids[self.ids[at] != ids] if len(self.ids) else ids
        if len(lacking):
            raise StoreError.expected(
                self.path, f"picture {lacking[0]}", "none", "Generate the set again"
            )
        return np.asarray(at)

    def find(self, picture_id: int) -> int | None:
        """Return where an id stands in ``ids``, None where the store lacks it."""
        at = int(np.searchsorted(self.ids, picture_id))
        return at if at < len(self.ids) and self.ids[at] == picture_id else None

    def read_into(self, position: int, target: Pixels) -> None:
        """Fill a contiguous uint8 array (size, size, 3) with a picture by its position."""
        shard, row = self._where[position].tolist()
        path, offset = self._shards[shard]
        self._files.read_into(path, offset + row * target.nbytes, target)


def read_store(path: Path) -> dict[str, Any]:
    """Return the manifest of a picture store by its folder.

    Raises:
        StoreError: It is missing, broken, or of another layout.
    """
    then = "Remove that folder: `generate` and `import` store its pictures again"
    manifest: dict[str, Any] = read_json(
        path / MANIFEST, "a picture store's manifest", PicturesManifest, then
    )
    if (manifest["format"], manifest["layout"]) != (PICTURES_FORMAT, LAYOUT):
        raise StoreError.expected(
            path / MANIFEST,
            f"{PICTURES_FORMAT} of layout {LAYOUT}",
            f"{manifest['format']} {manifest['layout']}",
            "Choose another --out",
        )
    if manifest["pending"] and set(manifest["pending"]) != {"purpose", "first", "ids"}:
        raise StoreError.expected(
            f"{path / MANIFEST}: pending", "purpose, first and ids", "some of them", then
        )
    return manifest


def intact(path: Path, entry: dict[str, Any], thorough: bool) -> bool:
    """Return whether a shard is there and as its entry says.

    Args:
        path: File of the shard.
        entry: Entry of the shard in a manifest; ``bytes`` and ``sha256`` are used.
        thorough: Whether the file is hashed; else its size alone is looked at.
    """
    try:
        if path.stat().st_size != entry["bytes"]:
            return False
        if not thorough:
            return True
        return hash_file(path) == str(entry["sha256"])
    except FileNotFoundError:
        return False


@lru_cache(maxsize=2)
def _reader(path: Path, version: str) -> PictureReader:
    return PictureReader(path)


@lru_cache(maxsize=4096)
def _header(path: Path, sha256: str, size: int) -> tuple[int, Ints, npt.NDArray[np.uint8]]:
    """Return a shard's offset of pixels, ids and digests; cached by what the file must hold."""
    opened = open_shard(path, "pixels", PICTURES)
    ids, digests = opened.values
    if opened.length != len(ids) * size * size * 3:
        raise StoreError.expected(
            path, f"{len(ids)} pictures of {size} px", f"{opened.length} bytes", AGAIN
        )
    return opened.offset, ids, digests
