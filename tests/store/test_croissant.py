"""Descriptions in Croissant, read by MLCommons' own library."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import pytest
from conftest import content, make

from cisdl_bench.hashing import hash_file
from cisdl_bench.store import PairSet, open_pairs
from cisdl_bench.store.describe import CROISSANT
from cisdl_bench.store.export import FORMATS, export
from cisdl_bench.store.sets import SetFolder
from cisdl_bench.store.verify import verify_set

#: What NeurIPS asks for beside Croissant's own fields.
RAI = (
    *("rai:dataLimitations", "rai:dataBiases", "rai:personalSensitiveInformation"),
    *("rai:dataUseCases", "rai:dataSocialImpact", "rai:hasSyntheticData"),
    *("prov:wasDerivedFrom", "prov:wasGeneratedBy"),
)


@pytest.fixture(scope="module")
def pairs(made: Path) -> PairSet:
    return open_pairs(made / "training")


def opened(path: Path, caplog: pytest.LogCaptureFixture) -> mlcroissant.Dataset:
    """A description without an error or a warning."""
    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(jsonld=path)
    issues = dataset.metadata.ctx.issues
    assert (issues.errors, issues.warnings, caplog.messages) == (set(), set(), [])
    return dataset


def records(dataset: mlcroissant.Dataset, name: str) -> list[dict[str, Any]]:
    """The records of a set, with texts as such."""
    return [
        {
            key.removeprefix(f"{name}/"): v.decode() if isinstance(v, bytes) else v
            for key, v in record.items()
        }
        for record in dataset.records(name)
    ]


def test_a_sets_composites_are_read_as_records(made, pairs, caplog) -> None:
    dataset = opened(made / "training" / "croissant.json", caplog)
    rows = records(dataset, "composites")
    assert len(rows) == len(pairs.rows) == 20
    for place, row in enumerate(rows):
        assert set(pairs.parameters) < set(row)
        assert row == {name: pairs[3 * place].numbers[name] for name in row}
    assert [kind["label"] for kind in records(dataset, "kinds")] == [1, 1, 0]


def test_what_is_said_of_a_set(made: Path) -> None:
    said = json.loads((made / "training" / "croissant.json").read_text())
    manifest = json.loads((made / "training" / "manifest.json").read_text())
    assert said["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    assert all(said[name] not in ("", [], None) for name in RAI)
    assert said["rai:hasSyntheticData"] is True
    assert manifest["source"]["sha256"] in said["prov:wasDerivedFrom"]["description"]
    hashes = {file["@id"]: file.get("sha256") for file in said["distribution"]}
    assert {e["name"]: e["sha256"] for e in manifest["shards"]}.items() <= hashes.items()


def test_licences_are_those_of_the_pictures(coco: Path, tmp_path: Path) -> None:
    root = shutil.copytree(coco, tmp_path / "coco")
    path = root / "annotations" / "instances_val2014.json"
    table = json.loads(path.read_text())
    table["licenses"] = [{"id": 1, "name": "Attribution", "url": "https://example.org/by/2.0"}]
    for image in table["images"]:
        image["license"] = 1
    path.write_text(json.dumps(table))
    make(root, tmp_path / "out", "raw", pairs=2)
    said = json.loads((tmp_path / "out" / "raw-normal" / "croissant.json").read_text())
    assert len(said["license"]) == 1
    assert "Attribution" in said["license"][0]


def test_the_same_command_gives_the_same_bytes(made: Path, coco: Path, tmp_path: Path) -> None:
    make(coco, tmp_path, "training", pairs=60, jobs=2)
    ours, again = content(made / "training"), content(tmp_path / "training")
    assert ours["croissant.json"] == again["croissant.json"]
    assert ours["composites.csv"] == again["composites.csv"]


@pytest.mark.parametrize("form", FORMATS)
def test_an_exports_pairs_are_read_as_records(pairs, tmp_path, caplog, form) -> None:
    name, file = ("set.h5", "set.croissant.json") if form == "pairs-h5" else ("set", CROISSANT)
    export(pairs, tmp_path / name, form, lambda _: None)
    folder = tmp_path if form == "pairs-h5" else tmp_path / name
    dataset = opened(folder / file, caplog)
    rows = records(dataset, "pairs")
    assert [row["label"] for row in rows] == [pair.label for pair in pairs]
    if form == "release":
        read = {r["path"]: np.asarray(r["picture"]) for r in records(dataset, "pictures")}
        assert np.array_equal(read[rows[4]["image2"]], pairs[4].probe)
    else:
        assert [row["kind"] for row in rows] == [pair.kind for pair in pairs]
        assert [row["scale"] for row in rows] == [pair.numbers["scale"] for pair in pairs]
    listed = json.loads((folder / file).read_text())["distribution"]
    hashes = {file["@id"]: file["sha256"] for file in listed if "sha256" in file}
    assert hashes == {name: hash_file(folder / name) for name in hashes}
    assert len(hashes) == (1 if form == "release" else 2)


def test_a_damaged_table_or_a_wrong_claim_is_found(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "copy")
    folder = tmp_path / "copy" / "training"
    table, description = folder / "composites.csv", folder / "croissant.json"
    whole, said = table.read_bytes(), description.read_text()
    table.write_bytes(whole[:-2])
    assert f"{table}: expected SHA-256" in verify_set(folder, set())[0]
    table.write_bytes(whole)
    entry = json.loads((folder / "manifest.json").read_text())["shards"][0]
    description.write_text(said.replace(entry["sha256"], "0" * 64))
    assert "shard-00000.h5: expected SHA-256 0000" in verify_set(folder, set())[0]
    description.write_text("[]")
    assert "croissant.json: expected " in verify_set(folder, set())[0]
    description.unlink()  # a set of an earlier version
    assert verify_set(folder, set()) == []


def test_a_set_that_takes_anothers_place_leaves_no_description(coco: Path, tmp_path: Path) -> None:
    make(coco, tmp_path, "raw", pairs=3)
    make(coco, tmp_path, "raw", pairs=2, overwrite=True)
    folder = tmp_path / "raw-normal"
    assert len((folder / "composites.csv").read_text().splitlines()) == 3
    assert verify_set(folder, set()) == []
    SetFolder(folder)._clear()
    assert sorted(path.name for path in folder.iterdir()) == ["skipped.csv"]
