import csv
import errno
import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from cisdl_bench.errors import StoreError
from cisdl_bench.store import PairSet, open_pairs
from cisdl_bench.store.export import FORMATS, export


@pytest.fixture(scope="module")
def pairs(made: Path) -> PairSet:
    return open_pairs(made / "training")


def test_whole_pairs_in_one_file(pairs: PairSet, tmp_path: Path) -> None:
    export(pairs, tmp_path / "a.h5", "pairs-h5", lambda _: None)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["fingerprint"] == pairs.manifest["fingerprint"]
        for k, pair in enumerate(pairs):
            for name in ("probe", "donor", "probe_mask", "donor_mask"):
                assert np.array_equal(file[name][k], getattr(pair, name))
            assert file["label"][k] == pair.label
            assert file["kind"][k].decode() == pair.kind
            assert file["numbers"][k]["scale"] == pair.numbers["scale"]


def test_the_authors_folder(pairs: PairSet, tmp_path: Path) -> None:
    root = tmp_path / "set"
    export(pairs, root, "release", lambda _: None)
    with (root / "set.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image1", "image2", "label", "gt1", "gt2"]
    assert len(rows) == len(pairs)
    for row, pair in zip(rows, pairs, strict=True):
        read = {name: np.asarray(Image.open(root / row[name])) for name in row if name != "label"}
        assert np.array_equal(read["image1"], pair.donor)
        assert np.array_equal(read["image2"], pair.probe)
        assert np.array_equal(read["gt1"], pair.donor_mask * np.uint8(255))
        assert np.array_equal(read["gt2"], pair.probe_mask * np.uint8(255))
        assert int(row["label"]) == pair.label


def test_the_authors_header(pairs: PairSet, tmp_path: Path) -> None:
    export(pairs, tmp_path / "set", "release", lambda _: None)
    ours = (tmp_path / "set" / "set.csv").read_text().splitlines()[0]
    assert ours == "image1,image2,label,gt1,gt2"  # of the authors' released lists


def test_tar_files(pairs: PairSet, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("cisdl_bench.store.export._PAIRS_A_TAR", 25)
    export(pairs, tmp_path / "tars", "webdataset", lambda _: None)
    names = sorted(path.name for path in (tmp_path / "tars").glob("*.tar"))
    assert names == ["pairs-00000.tar", "pairs-00001.tar", "pairs-00002.tar"]
    with tarfile.open(tmp_path / "tars" / "pairs-00001.tar") as tar:
        first = {n: tar.extractfile(n).read() for n in tar.getnames()[:5]}
    assert list(first) == [
        f"00000025.{part}"
        for part in ("probe.png", "donor.png", "probe_mask.png", "donor_mask.png", "json")
    ]
    probe = np.asarray(Image.open(io.BytesIO(first["00000025.probe.png"])))
    assert np.array_equal(probe, pairs[25].probe)
    about = json.loads(first["00000025.json"])
    assert (about["kind"], about["label"]) == (pairs[25].kind, pairs[25].label)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_replaced_and_nothing_half_made_is_left(pairs, tmp_path, form) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(StoreError, match="there exists. Remove it"):
        export(pairs, tmp_path / "there", form, lambda _: None)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(pairs, tmp_path / "new", form, stop)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_what_lies_beside_a_file_is_not_replaced_either(pairs, tmp_path: Path) -> None:
    (tmp_path / "out.pairs.csv").write_text("mine")
    with pytest.raises(StoreError, match="out.pairs.csv exists. Remove it"):
        export(pairs, tmp_path / "out.h5", "pairs-h5", lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["out.pairs.csv"]


def test_whole_pairs_on_a_full_disk_end_in_a_line(made: Path, tmp_path: Path, monkeypatch) -> None:
    pairs, target = open_pairs(made / "combination-normal"), tmp_path / "out.h5"
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
        with pytest.raises(StoreError, match="out.h5 .*Free some space"):
            export(pairs, target, "pairs-h5", lambda _: None)

    def full(*_: object) -> None:  # it filled up since it was asked
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StoreError, match="out.h5 .*Free some space"):
        export(pairs, target, "pairs-h5", lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_hugging_faces_datasets_reads_the_file(pairs, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets  # reads the variable when it is imported

    export(pairs, tmp_path / "out.h5", "pairs-h5", lambda _: None)
    loaded = datasets.load_dataset(
        "hdf5",
        data_files=str(tmp_path / "out.h5"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    ).with_format("numpy")
    assert len(loaded) == len(pairs)
    for k in (0, 1, 59):
        row, pair = loaded[k], pairs[k]
        for name in ("probe", "donor", "probe_mask", "donor_mask"):
            assert np.array_equal(row[name], getattr(pair, name))
        assert (row["label"], row["kind"]) == (pair.label, pair.kind)
        assert row["numbers"]["rotation_deg"] == pair.numbers["rotation_deg"]
