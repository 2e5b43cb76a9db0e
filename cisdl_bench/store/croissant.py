"""``croissant.json``: a set or an export described in Croissant 1.1, so that other tools find it.

The description follows from the manifest and the files alone; there is no clock in it. Tables are
record sets, whose records `mlcroissant` reads; shards and arrays of HDF5 are files with a hash.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cisdl_bench.hashing import hash_file
from cisdl_bench.packaged import packaged_toml
from cisdl_bench.records import kind_label
from cisdl_bench.store.atomic import json_bytes

CSV, HDF5, JSON, PNG, JPEG, TAR = (
    *("text/csv", "application/x-hdf5", "application/json", "image/png", "image/jpeg"),
    "application/x-tar",
)
#: Media types of an export's files by the ending of their names; all others are HDF5.
_ENCODINGS = {".csv": CSV, ".tar": TAR}
_CONFORMS = "http://mlcommons.org/croissant/1.1"
_CROISSANT_TERMS = (
    *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field"),
    *("fileProperty", "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset"),
    *("jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
    *("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _CROISSANT_TERMS},
}
#: Columns of words; all others hold numbers: whole ones where the name says so, else real ones.
_WORDS = ("kind", "difficulty", "image1", "image2", "gt1", "gt2")
_WHOLE = ("pair", "label", "index", "_id", "area_px")


class File(NamedTuple):
    """A file that a description lists.

    Attributes:
        path: Path from the description's folder.
        encoding: Media type of the content.
        size: Length in bytes.
        sha256: SHA-256 of the content.
    """

    path: str
    encoding: str
    size: int
    sha256: str


class FileGroup(NamedTuple):
    """Files that a description lists by a pattern.

    Attributes:
        name: Name of the group.
        encoding: Media type of each file.
        pattern: Pattern of the paths, such as ``*/*.png``.
        records: Name of the record set of the pictures in these files; empty: they are none.
    """

    name: str
    encoding: str
    pattern: str
    records: str = ""


class Table(NamedTuple):
    """A CSV file whose lines are records.

    Attributes:
        name: Name of the record set, such as ``pairs``.
        path: Path of the file, which is listed.
        columns: Names of the columns, in order.
    """

    name: str
    path: str
    columns: Sequence[str]


def list_file(path: Path, folder: Path) -> File:
    """Return the entry of a file in or below the description's folder; the file is hashed."""
    name = path.relative_to(folder).as_posix()
    return File(name, _ENCODINGS.get(path.suffix, HDF5), path.stat().st_size, hash_file(path))


def list_content(path: str, encoding: str, content: bytes) -> File:
    """Return the entry of a file from its content; see ``list_file``."""
    return File(path, encoding, len(content), hashlib.sha256(content).hexdigest())


def format_description(
    manifest: Mapping[str, Any], files: Sequence[File | FileGroup], table: Table
) -> bytes:
    """Return the content of ``croissant.json``.

    Args:
        manifest: Manifest of a finished, generated set.
        files: Files of the set or export, that of the table among them.
        table: Table of composites or pairs.
    """
    words = packaged_toml("croissant.toml")
    source, spec, request = manifest["source"], manifest["spec"], manifest["request"]
    licences = [word for word in source["licence"].split("; ") if word]
    difficulty = "" if request["difficulty"] == "all" else f" {request['difficulty']}"
    counts = manifest["counts"]
    description = (
        f"{counts['pairs']:,} pairs of pictures for constrained image splicing detection and "
        f"localization, {spec['size']} px, from {counts['composites']:,} composites of "
        f"{source['name']}. {spec.get('title', '')}".strip()
    )
    content = {
        "@context": dict(sorted(_CONTEXT.items())),
        "@type": "sc:Dataset",
        "conformsTo": _CONFORMS,
        "name": f"cisdl-bench {manifest['name']}{difficulty}",
        "description": description,
        "version": f"{request['spec_version']}.0.0",
        "license": licences or [words["licence_unknown"]],
        "creator": {"@type": "sc:Organization", "name": words["creator"]},
        "datePublished": words["published"],
        "url": words["url"],
        "citeAs": words["citation"],
        "keywords": words["keywords"],
        "identifier": manifest["fingerprint"],
        **{f"rai:{key}": value for key, value in words["rai"].items()},
        "prov:wasDerivedFrom": _describe_source(source),
        "prov:wasGeneratedBy": _describe_run(manifest),
        "distribution": [_describe_file(file) for file in files],
        "recordSet": [
            _describe_table(table, words["columns"]),
            *(_describe_pictures(group) for group in files if getattr(group, "records", "")),
            _describe_kinds(spec["kinds"]),
        ],
    }
    return json_bytes(content)


def _describe_source(source: Mapping[str, Any]) -> dict[str, Any]:
    words = " ".join(filter(None, (source["description"], source["version"])))
    return {
        "@type": "sc:Dataset",
        "name": words or source["name"],
        "description": f"{source['pictures']:,} pictures with {source['instances']:,} instances; "
        f"annotation file's SHA-256 {source['sha256']}",
    }


def _describe_run(manifest: Mapping[str, Any]) -> dict[str, Any]:
    request = manifest["request"]
    versions = ", ".join(f"{name} {text}" for name, text in manifest["versions"].items())
    return {
        "@type": "prov:Activity",
        "name": "cisdl-bench generate",
        "description": f"spec {request['spec']} version {request['spec_version']} (SHA-256 "
        f"{request['spec_sha256']}), {request['difficulty']}, seed {request['seed']}; {versions}",
    }


def _describe_file(file: File | FileGroup) -> dict[str, Any]:
    if isinstance(file, FileGroup):
        return {
            "@type": "cr:FileSet",
            "@id": file.name,
            "name": file.name,
            "encodingFormat": file.encoding,
            "includes": file.pattern,
        }
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": f"{file.size} B",
        "encodingFormat": file.encoding,
        "sha256": file.sha256,
    }


def _describe_table(table: Table, meanings: Mapping[str, str]) -> dict[str, Any]:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{table.name}/{column}",
            "name": column,
            "description": meanings.get(column, "Parameter of a transformation"),
            "dataType": _find_type(column),
            "source": {"fileObject": {"@id": table.path}, "extract": {"column": column}},
        }
        for column in table.columns
    ]
    return {"@type": "cr:RecordSet", "@id": table.name, "name": table.name, "field": fields}


def _find_type(column: str) -> str:
    if column in _WORDS:
        return "sc:Text"
    return "sc:Integer" if column.endswith(_WHOLE) else "cr:Float64"


def _describe_pictures(group: File | FileGroup) -> dict[str, Any]:
    assert isinstance(group, FileGroup)
    records = group.records
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{records}/{name}",
            "name": name,
            "dataType": kind,
            "source": {"fileSet": {"@id": group.name}, "extract": {"fileProperty": extract}},
        }
        for name, kind, extract in (
            ("path", "sc:Text", "fullpath"),
            ("picture", "sc:ImageObject", "content"),
        )
    ]
    return {"@type": "cr:RecordSet", "@id": records, "name": records, "field": fields}


def _describe_kinds(kinds: Sequence[str]) -> dict[str, Any]:
    """Return the record set of kinds: of composite c, pair K c + k is of the k-th."""
    types = {"kind": "sc:Text", "label": "sc:Integer"}
    fields = [
        {"@type": "cr:Field", "@id": f"kinds/{name}", "name": name, "dataType": kind}
        for name, kind in types.items()
    ]
    data = [{"kinds/kind": kind, "kinds/label": kind_label(kind)} for kind in kinds]
    return {
        "@type": "cr:RecordSet",
        "@id": "kinds",
        "name": "kinds",
        "description": f"Of each composite c, pair {len(kinds)} c + k is of the k-th kind.",
        "key": {"@id": "kinds/kind"},
        "field": fields,
        "data": data,
    }
