"""A set's folder as writers see it: its manifest, its shards, and resuming a run."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cisdl_bench.errors import StoreError
from cisdl_bench.records import DIFFICULTIES, Composite
from cisdl_bench.store.atomic import (
    flushed,
    read_json,
    write_csv,
    write_json,
    write_shard,
)
from cisdl_bench.store.describe import COMPOSITES, CROISSANT, describe_set
from cisdl_bench.store.flat import AGAIN, open_shard
from cisdl_bench.store.layout import (
    DIGEST,
    LAYOUT,
    MANIFEST,
    SET_FORMAT,
    Bytes,
    composite_columns,
    composite_digest,
    composite_row,
    h5_header,
    pack_boxes,
    pack_composite,
    row_type,
    set_fingerprint,
)
from cisdl_bench.store.pictures import PictureReader, intact
from cisdl_bench.store.shapes import GeneratedSet, ImportedSet, SetManifest, UnfinishedSet
from cisdl_bench.strict_json import conforming

Manifest = dict[str, Any]

SKIPPED = "skipped.csv"
HOLDS_PAIRS = "pairs"  # of an imported set


def read_manifest(folder: Path, *, finished: bool = True, shape: Any = SetManifest) -> Manifest:
    """Return a set's manifest.

    Args:
        folder: Folder of the set.
        finished: Whether an unfinished set is refused.
        shape: Type that the manifest must have, of ``shapes``.

    Raises:
        StoreError: There is none, it is of another layout or broken, or the set is not finished.
    """
    path = folder / MANIFEST
    manifest: Manifest = read_json(path, "a set's manifest", SetManifest, AGAIN)
    kind, layout = manifest.get("format"), manifest.get("layout")
    if (kind, layout) != (SET_FORMAT, LAYOUT):
        raise StoreError.expected(
            folder / MANIFEST,
            f"{SET_FORMAT} of layout {LAYOUT}",
            f"{kind} {layout}",
            "Give the folder of a set that this version generated",
        )
    if finished and not manifest["complete"]:
        raise StoreError(
            f"{folder}: the set is not finished, {len(manifest['shards'])} shards so far. Run its "
            "`generate` command again to finish it."
        )
    if shape is not SetManifest:
        conforming(manifest, shape, path, AGAIN, StoreError)
    return manifest


def read_finished(folder: Path) -> Manifest:
    """Return the manifest of a finished set, generated or imported, with all that it must hold.

    Raises:
        StoreError: As ``read_manifest``.
    """
    manifest = read_manifest(folder)
    shape = ImportedSet if manifest.get("holds") == HOLDS_PAIRS else GeneratedSet
    conforming(manifest, shape, folder / MANIFEST, AGAIN, StoreError)
    return manifest


def find_sets(folder: Path) -> list[Path]:
    """Return the set folders at a path: itself, or those directly below it, by name.

    Raises:
        StoreError: There is none.
    """
    if (folder / MANIFEST).exists():
        return [folder]
    sets = [
        path.parent
        for path in sorted(folder.glob(f"[!.]*/{MANIFEST}"))
        if read_json(path, "a set's manifest", dict, AGAIN).get("format") == SET_FORMAT
    ]
    if not sets:
        raise StoreError(f"{folder}: there is no set. Run `cisdl-bench generate`.")
    return sets


@dataclass(frozen=True)
class SetFolder:
    """Where one set is written; the parent keeps the manifest, workers write shards.

    Attributes:
        path: Folder that is written to.
        replaces: Folder of the old set, which stays until the new one is complete; None where
            there is none.
    """

    path: Path
    replaces: Path | None = None

    @property
    def final(self) -> Path:
        """The folder that the finished set is in."""
        return self.replaces or self.path

    def begin(self, request: Manifest, *, overwrite: bool) -> tuple["SetFolder", Manifest]:
        """Return where to write, and the manifest to resume from.

        The manifest is what an earlier run of the same request finished. Shards that are missing
        or whose hash is wrong are taken off it and named under ``damaged``.

        Args:
            request: Values that decide the content: spec, seed, source, number of pairs.
            overwrite: Whether a new set is written beside the old one, to take its place in the
                end.

        Raises:
            StoreError: The folder holds another request's set, or a broken one.
        """
        old, new = self._beside("old"), self._beside("new")
        if old.exists() and not self.path.exists():
            old.rename(self.path)  # a run ended between the two renames of ``finish``
        shutil.rmtree(old, ignore_errors=True)
        if not (overwrite and (self.path / MANIFEST).exists()):
            shutil.rmtree(new, ignore_errors=True)
            return self, self._resume(request)
        staged = SetFolder(new, self.path)
        try:
            return staged, staged._resume(request)
        except StoreError:
            shutil.rmtree(new)
            return staged, staged._resume(request)

    def _beside(self, word: str) -> Path:
        return self.path.parent / f".{self.path.name}.{word}"

    def _resume(self, request: Manifest) -> Manifest:
        fresh = {"format": SET_FORMAT, "layout": LAYOUT, "complete": False, "request": request}
        fresh["shards"] = []
        if not (self.path / MANIFEST).exists():
            self._clear()
            return fresh
        manifest = read_manifest(self.path, finished=False)
        imported = manifest["request"].get("holds") == HOLDS_PAIRS
        if imported == (request.get("holds") == HOLDS_PAIRS):
            unfinished = SetManifest if imported else UnfinishedSet
            finished = ImportedSet if imported else GeneratedSet
            shape = finished if manifest["complete"] else unfinished
            conforming(manifest, shape, self.path / MANIFEST, AGAIN, StoreError)
        differing = [key for key in request if manifest["request"].get(key) != request[key]]
        if differing:
            key = differing[0]
            was, now = manifest["request"].get(key), request[key]
            raise StoreError(
                f"{self.path} holds another set than this command asks for ({key}: {_short(was)}, "
                f"not {_short(now)}). Use --overwrite to replace it, or choose another --out."
            )
        # `verify` hashes finished sets; asking twice for one stays quick.
        thorough = not manifest["complete"]
        damaged = [
            entry
            for entry in manifest["shards"]
            if entry["rows"] and not intact(self.path / entry["name"], entry, thorough)
        ]
        if damaged:
            manifest["complete"] = False
            manifest["shards"] = [e for e in manifest["shards"] if e not in damaged]
        manifest["damaged"] = [entry["name"] for entry in damaged]
        return manifest

    def _clear(self) -> None:
        for path in self.path.glob("shard-*.h5"):
            path.unlink()
        for name in (CROISSANT, COMPOSITES, MANIFEST):
            (self.path / name).unlink(missing_ok=True)

    def save(self, manifest: Manifest) -> None:
        """Write the manifest, whole or not at all."""
        write_json(self.path / MANIFEST, manifest)

    def write(
        self, name: str, composites: Sequence[Composite], pictures: PictureReader
    ) -> Manifest:
        """Write one shard of composites; return its manifest entry."""
        if not composites:
            return {"name": name, "rows": 0, "bytes": 0, "sha256": "", "difficulty": {}}
        pieces = [pack_composite(composite) for composite in composites]
        starts = np.cumsum([0, *(sum(piece.size for piece in three) for three in pieces)])
        flat = np.concatenate(
            [piece.reshape(-1) for three in pieces for piece in three],
            out=_memory(int(starts[-1]).bit_length())[: starts[-1]],
        )
        rows = np.array(
            [
                composite_row(c, int(start))
                for c, start in zip(composites, starts[:-1], strict=True)
            ],
            dtype=row_type(composites[0].parameters),
        )
        donors = pictures.digests[pictures.positions(rows["donor_id"])]
        backgrounds = pictures.digests[pictures.positions(rows["background_id"])]
        digests = [
            composite_digest(donor.tobytes(), background.tobytes(), flat[start:stop], boxes)
            for donor, background, start, stop, boxes in zip(
                donors, backgrounds, starts, starts[1:], pack_boxes(rows), strict=False
            )
        ]
        small = {
            "composites": rows,
            "digest": np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 32),
        }
        attributes = {"format": SET_FORMAT, "layout": LAYOUT}
        header = h5_header(small, "bytes", (int(starts[-1]),), attributes)
        counts = np.bincount(rows["difficulty"], minlength=len(DIFFICULTIES)).tolist()
        return {
            "name": name,
            "rows": len(rows),
            **write_shard(self.path / name, header, flat.data),
            "difficulty": dict(zip(DIFFICULTIES, counts, strict=True)),
        }

    def settle(self, entry: Manifest) -> None:
        """Wait until a shard is on the disk; before the manifest names it."""
        if entry["rows"]:
            flushed(self.path / entry["name"])

    def finish(
        self,
        manifest: Manifest,
        kinds: Sequence[str],
        size: int,
        skipped: Sequence[tuple[str, int, str]],
    ) -> Manifest:
        """Write the final manifest with the fingerprint; remove shards that it does not name.

        ``counts`` gets ``repeated``: how many items have the content of an earlier one.

        Args:
            manifest: Manifest with the entries of all shards, in order.
            kinds: Kinds of pairs of the set.
            size: Side of the canvas in px.
            skipped: Lines of ``skipped.csv``: kind, id and reason of what could not be used.
        """
        kept = [entry for entry in manifest["shards"] if entry["rows"]]
        generated = manifest.get("holds") != HOLDS_PAIRS
        columns = composite_columns(manifest["parameters"]) if generated else {"digest": DIGEST}
        opened = [open_shard(self.path / e["name"], "bytes", columns).values for e in kept]
        digests = [values[-1] for values in opened]
        every = np.concatenate(digests)
        repeated = len(every) - len(np.unique(every, axis=0))
        counts = {**manifest["counts"], "repeated": repeated}
        fingerprint = set_fingerprint(digests, kinds, size)
        final = {**manifest, "shards": kept, "complete": True, "fingerprint": fingerprint}
        final["counts"] = counts
        names = ("what", "id", "reason")
        lines = [dict(zip(names, line, strict=True)) for line in skipped]
        write_csv(self.path / SKIPPED, lines, names)
        if generated:
            describe_set(self.path, final, [values[0] for values in opened])
        self.save(final)
        shards = {entry["name"] for entry in kept}
        for path in self.path.glob("shard-*.h5"):
            if path.name not in shards:
                path.unlink()
        if self.replaces:
            self._replace(self.replaces)
        return final

    def _replace(self, final: Path) -> None:
        """Give a finished set the folder of the old one; what else lay there stays."""
        old = SetFolder(final)._beside("old")
        final.rename(old)
        self.path.rename(final)
        SetFolder(old)._clear()
        for path in old.iterdir():
            if not (final / path.name).exists():
                path.rename(final / path.name)
        shutil.rmtree(old, ignore_errors=True)


@lru_cache(maxsize=1)
def _memory(bits: int) -> Bytes:
    # Kept from shard to shard: touching fresh memory costs more than filling it.
    return np.empty(1 << bits, dtype=np.uint8)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
