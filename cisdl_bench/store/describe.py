"""``croissant.json`` beside the files of a set or an export, and checking what it says of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import StoreError
from cisdl_bench.hashing import hash_file
from cisdl_bench.store.atomic import json_bytes, read_json, write_lines, write_whole
from cisdl_bench.store.composite_table import (
    composite_lines,
    pair_lines,
    table_columns,
)
from cisdl_bench.store.croissant import (
    CSV,
    HDF5,
    JSON,
    File,
    FileGroup,
    Table,
    format_description,
    list_content,
    list_file,
)
from cisdl_bench.store.layout import MANIFEST

CROISSANT = "croissant.json"
COMPOSITES = "composites.csv"
PAIRS = "pairs.csv"


class _FileClaim(TypedDict, total=False):
    contentUrl: str
    sha256: str


class _Claims(TypedDict):
    """What is read back of a description."""

    distribution: list[_FileClaim]


def describe_set(
    folder: Path, manifest: Mapping[str, Any], tables: Sequence[npt.NDArray[Any]]
) -> None:
    """Write a set's table of composites and its description, each whole or not at all.

    Args:
        folder: Folder of the set.
        manifest: Final manifest, which is written after them.
        tables: Rows of ``composites`` of each shard, in order.
    """
    lines = composite_lines(np.concatenate(tables), manifest["parameters"])
    table = "".join(f"{line}\n" for line in lines).encode()
    files: list[File | FileGroup] = [
        list_content(MANIFEST, JSON, json_bytes(manifest)),
        list_content(COMPOSITES, CSV, table),
        *(File(e["name"], HDF5, e["bytes"], e["sha256"]) for e in manifest["shards"]),
        FileGroup("picture-shards", HDF5, f"{manifest['pictures']}/pictures-*.h5"),
    ]
    described = Table("composites", COMPOSITES, table_columns(manifest["parameters"]))
    write_whole(folder / COMPOSITES, table)
    write_whole(folder / CROISSANT, format_description(manifest, files, described))


def describe_export(
    folder: Path,
    manifest: Mapping[str, Any],
    rows: npt.NDArray[Any],
    *,
    prefix: str = "",
    table: str = "",
    groups: Sequence[FileGroup] = (),
    lists: Sequence[Path] = (),
) -> None:
    """Write a description of an export's files, and a table of its pairs where it has none.

    Args:
        folder: Folder of the export.
        manifest: Manifest of the set that was exported.
        rows: Rows of ``composites`` of the set.
        prefix: Beginning of the names of both files.
        table: Name of the export's own table of pairs; empty: it has none, and one is written.
        groups: Pictures in folders below the export's, which are not hashed one by one.
        lists: Further files below the export's folder that are listed with their hashes.
    """
    path = folder / (table or f"{prefix}{PAIRS}")
    if not table:
        lines = pair_lines(rows, manifest["parameters"], manifest["spec"]["kinds"])
        write_lines(path, lines)
    with path.open(encoding="utf-8") as file:
        columns = file.readline().strip().split(",")
    # Pictures in tar files are no records: mlcroissant unpacks all sets' into one place, by name.
    description_path = folder / f"{prefix}{CROISSANT}"
    beside = [
        file
        for file in sorted(folder.iterdir())
        if file.is_file() and not file.name.startswith(".") and file != description_path
    ]
    files: list[File | FileGroup] = [list_file(file, folder) for file in (*beside, *lists)]
    files += groups
    described = Table("pairs", path.name, columns)
    description = format_description(manifest, files, described)
    write_whole(description_path, description)


def find_wrong_files(folder: Path, known: Mapping[str, str]) -> list[str]:
    """Return what a folder's ``croissant.json`` says wrongly of its files, a line each.

    A folder without one, as earlier versions wrote it, has nothing wrong.

    Args:
        folder: Folder of the set.
        known: SHA-256 of files that were hashed already, by name.
    """
    path = folder / CROISSANT
    if not path.exists():
        return []
    again = "Run the set's `generate` command with --overwrite"
    try:
        claims: _Claims = read_json(path, "a description in Croissant", _Claims, again)
    except StoreError as error:
        return [str(error)]
    problems = []
    for claim in claims["distribution"]:
        if "sha256" not in claim:
            continue
        file = folder / Path(claim.get("contentUrl", "")).name
        try:
            sha256 = known.get(file.name) or hash_file(file)
        except OSError as error:
            sha256 = error.strerror or str(error)
        if sha256 != claim["sha256"]:
            problems.append(f"{file}: expected SHA-256 {claim['sha256']}, got {sha256}. {again}.")
    return problems
