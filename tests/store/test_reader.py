"""What is read back, against a second reader written from the layout's description alone."""

import json
import multiprocessing
import pickle
import shutil
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import Heard, make

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.errors import StoreError
from cisdl_bench.generation.compose import compose_range
from cisdl_bench.generation.plan import DrawnPlan
from cisdl_bench.generation.shards import StoredCanvas
from cisdl_bench.pair_sources import open_chosen
from cisdl_bench.pairs import Pair
from cisdl_bench.sources.coco import open_coco
from cisdl_bench.specs import load_spec
from cisdl_bench.store import open_pairs
from cisdl_bench.store.flat import OpenFiles
from cisdl_bench.store.pictures import PictureReader


def strangers_pairs(folder: Path):
    """Every pair by plain h5py and numpy, as ``store/layout.py`` describes it."""
    manifest = json.loads((folder / "manifest.json").read_text())
    store = folder / manifest["pictures"]
    pictures = {}
    for entry in json.loads((store / "manifest.json").read_text())["shards"]:
        with h5py.File(store / entry["name"]) as file:
            pictures |= dict(zip(file["id"][:].tolist(), file["pixels"][:], strict=True))
    size = manifest["spec"]["size"]

    def masked(row, data: np.ndarray, name: str) -> np.ndarray:
        top, left, height, width = (row[f"{name}_{s}"] for s in ("top", "left", "height", "width"))
        bits = np.unpackbits(data.reshape(height, -1), axis=1)[:, :width]
        mask = np.zeros((size, size), dtype=bool)
        mask[top : top + height, left : left + width] = bits
        return mask

    for entry in manifest["shards"]:
        with h5py.File(folder / entry["name"]) as file:
            table, data = file["composites"][:], file["bytes"][:]
        for row in table:
            at = int(row["start"])
            n = int(row["patch_height"]) * int(row["patch_width"]) * 3
            patch = data[at : at + n].reshape(row["patch_height"], row["patch_width"], 3)
            at += n
            n = int(row["probe_height"]) * ((int(row["probe_width"]) + 7) // 8)
            probe_mask = masked(row, data[at : at + n], "probe")
            at += n
            n = int(row["donor_height"]) * ((int(row["donor_width"]) + 7) // 8)
            donor_mask = masked(row, data[at : at + n], "donor")
            donor, background = (pictures[int(row[k])] for k in ("donor_id", "background_id"))
            composite = background.copy()
            top, left = row["patch_top"], row["patch_left"]
            part = composite[top : top + patch.shape[0], left : left + patch.shape[1]]
            where = probe_mask[top : top + patch.shape[0], left : left + patch.shape[1]]
            part[where] = patch[where]
            none = np.zeros((size, size), dtype=bool)
            for kind in manifest["spec"]["kinds"]:
                yield {
                    "foreground": (composite, donor, probe_mask, donor_mask, 1),
                    "background": (composite, background, ~probe_mask, ~probe_mask, 1),
                    "negative": (background, donor, none, none, 0),
                }[kind]


def as_tuple(pair: Pair) -> tuple:
    return pair.probe, pair.donor, pair.probe_mask, pair.donor_mask, pair.label


@pytest.mark.parametrize("name", ["training", "combination-normal"])
def test_agrees_with_a_reader_written_from_the_description(made: Path, name: str) -> None:
    pairs = open_pairs(made / name)
    expected = list(strangers_pairs(made / name))
    assert len(pairs) == len(expected)
    for pair, other in zip(pairs, expected, strict=True):
        for ours, theirs in zip(as_tuple(pair), other, strict=True):
            assert np.array_equal(ours, theirs)


def test_agrees_with_what_was_composed(coco: Path, made: Path) -> None:
    source = open_coco(coco, "train", made / "index")
    pairs = open_pairs(made / "training")
    plan = DrawnPlan(load_spec("training"), 0, source, "all", unbounded=True)
    canvas = StoredCanvas(source, pairs.pictures, 256)
    composites, _, _ = compose_range(plan, 0, 100, canvas, limit=20)
    for k, composite in enumerate(composites):
        pair = pairs[3 * k]
        background = pairs[3 * k + 1].donor.copy()
        composite.paste_into(background)
        assert np.array_equal(pair.probe, background)
        assert np.array_equal(pair.probe_mask, composite.probe_mask.on_canvas(256))
        assert np.array_equal(pair.donor_mask, composite.donor_mask.on_canvas(256))
        assert pair.numbers["index"] == composite.index
        assert pair.numbers["scale"] == composite.parameters["scale"]
        assert pair.numbers["difficulty"] == composite.difficulty
    assert len({composite.difficulty for composite in composites}) > 1


def test_pairs_opened_by_a_relative_path_are_read_in_any_folder(
    made: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(made)
    sent = pickle.dumps(open_pairs("training"))
    monkeypatch.chdir(tmp_path)
    assert len(pickle.loads(sent)) == 60


def test_outside_the_mask_a_composite_is_its_background(made: Path) -> None:
    pairs = open_pairs(made / "training")
    for k in range(0, len(pairs), 3):
        foreground, background, negative = pairs[k : k + 3]
        outside = ~foreground.probe_mask
        assert np.array_equal(foreground.probe[outside], background.donor[outside])
        assert np.array_equal(background.probe_mask, outside)
        assert np.array_equal(background.donor_mask, outside)
        assert not negative.probe_mask.any()
        assert not negative.donor_mask.any()
        assert np.array_equal(negative.probe, background.donor)
        assert np.array_equal(negative.donor, foreground.donor)
        assert [p.label for p in (foreground, background, negative)] == [1, 1, 0]
        assert [p.kind for p in (foreground, background, negative)] == list(pairs.kinds)


def test_it_is_a_sequence(made: Path) -> None:
    pairs = open_pairs(made / "training")
    assert len(pairs) == 60
    assert np.array_equal(pairs[-1].probe, pairs[59].probe)
    assert len(pairs[10:20:3]) == 4
    assert [pairs.label(k) for k in range(3)] == [1, 1, 0]
    with pytest.raises(IndexError):
        pairs[60]
    assert np.array_equal(pickle.loads(pickle.dumps(pairs))[7].probe, pairs[7].probe)


def _sum(pairs, index: int) -> int:
    return int(pairs[index].probe.sum())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_reads_the_same_in_other_processes(made: Path, method: str) -> None:
    pairs = open_pairs(made / "training")
    expected = [_sum(pairs, k) for k in range(6)]  # the files are open now
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.starmap(_sum, [(pairs, k) for k in range(6)]) == expected


def test_few_files_stay_open(made: Path) -> None:
    files = OpenFiles(most=2)
    paths = sorted(made.rglob("*.json"))[:3]
    for path in [*paths, *paths]:
        assert bytes(files.read(path, 0, 1)) == b"{"
    assert len(files._open) == 2


def test_threads_read_the_right_bytes_from_more_files_than_stay_open(tmp_path: Path) -> None:
    paths = [tmp_path / f"{k}" for k in range(16)]
    for k, path in enumerate(paths):
        path.write_bytes(bytes([k]) * 64)
    files, wrong = OpenFiles(most=2), []

    def read(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for k in rng.integers(0, len(paths), 1500).tolist():
            try:
                got = bytes(files.read(paths[k], 5, 32))
            except StoreError as error:
                wrong.append(str(error))
                return
            if got != bytes([k]) * 32:
                wrong.append(f"{k}: {got[:4]!r}")

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []
    assert len(list(Path("/proc/self/fd").iterdir())) < 200


def _linked(kind: str, folder: Path, shard: Path) -> None:
    """Let a shard's table lie in another file."""
    other = folder / "other.h5"
    with h5py.File(shard, "r+") as file:
        table = file["composites"][:]
        del file["composites"]
        with h5py.File(other, "w") as there:
            there["composites"] = table
        if kind == "external link":
            file["composites"] = h5py.ExternalLink(str(other), "composites")
        elif kind == "soft link":
            file["elsewhere"] = table
            file["composites"] = h5py.SoftLink("/elsewhere")
        elif kind == "external storage":
            raw = folder / "raw"
            raw.write_bytes(table.tobytes())
            where = [(str(raw), 0, table.nbytes)]
            file.create_dataset("composites", table.shape, table.dtype, external=where)
        else:
            layout = h5py.VirtualLayout(table.shape, table.dtype)
            layout[:] = h5py.VirtualSource(str(other), "composites", table.shape, table.dtype)
            file.create_virtual_dataset("composites", layout)


@pytest.mark.parametrize("kind", ["external link", "soft link", "external storage", "virtual"])
def test_a_shard_shows_only_what_is_in_it(coco: Path, tmp_path: Path, kind: str) -> None:
    make(coco, tmp_path, "raw", pairs=20)
    _linked(kind, tmp_path, tmp_path / "raw-normal" / "shard-00000.h5")
    with pytest.raises(StoreError, match=r"shard-00000.h5: expected .*composites.*, got"):
        open_pairs(tmp_path / "raw-normal")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("digest", lambda v: v[:, :31]),
        ("digest", lambda v: v.astype(np.int16)),
        ("digest", lambda v: v[:-1]),
        ("composites", lambda v: v[["index", "donor_id"]]),
        ("composites", lambda v: _with(v, "start", -1)),
        ("composites", lambda v: _with(v, "start", 2**62)),
        ("composites", lambda v: _with(v, "opaque", 2)),
        ("composites", lambda v: _with(v, "difficulty", 3)),
        ("composites", lambda v: _with(v, "patch_height", 1)),
        ("composites", lambda v: _with(v, "donor_left", -1)),
        ("composites", lambda v: _with(v, "donor_width", 32767)),
    ],
)
def test_a_table_that_cannot_be_followed_is_refused(coco, tmp_path, name, change) -> None:
    make(coco, tmp_path, "raw", pairs=20)
    with h5py.File(tmp_path / "raw-normal" / "shard-00000.h5", "r+") as file:
        changed = change(file[name][:])
        del file[name]
        file[name] = changed
    with pytest.raises(StoreError, match=r"shard-00000.h5: .*expected .*, got .*Generate the set"):
        open_pairs(tmp_path / "raw-normal")


def _with(rows: np.ndarray, column: str, value: int) -> np.ndarray:
    rows = rows.copy()
    rows[column][3] = value
    return rows


def test_a_table_that_claims_more_than_it_stores_is_refused(coco, tmp_path) -> None:
    make(coco, tmp_path, "raw", pairs=20)
    with h5py.File(tmp_path / "raw-normal" / "shard-00000.h5", "r+") as file:
        del file["digest"]
        file.create_dataset("digest", (2**40, 32), np.uint8, chunks=(1, 32))
    with pytest.raises(StoreError, match=r"expected 35184372088832 bytes of digest, got 0"):
        open_pairs(tmp_path / "raw-normal")


CHANGES = [
    ("shards", None),
    ("shards", 3),
    ("shards", [{"name": "../../x.h5", "rows": 1, "bytes": 1, "sha256": ""}]),
    ("pictures", "/etc"),
    ("pictures", 1),
    ("spec", {"kinds": ["sideways"], "size": 256}),
    ("spec", {"kinds": ["foreground"], "size": 2**80}),
    ("counts", {}),
    ("notes", "x"),
    ("request", {"seed": "x"}),
    ("source", []),
    ("fingerprint", None),
    ("complete", "yes"),
]


@pytest.mark.parametrize(("key", "value"), CHANGES)
def test_a_manifest_is_checked_before_it_is_used(made: Path, tmp_path, key, value) -> None:
    shutil.copytree(made, tmp_path / "copy")
    path = tmp_path / "copy" / "training" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(StoreError, match=r"manifest.json: .*expected .*Generate the set again"):
        open_pairs(path.parent)


def test_what_cannot_be_read_is_named(coco: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"manifest.json: .*make it first"):
        open_pairs(tmp_path)
    make(coco, tmp_path, "raw", pairs=20)
    folder = tmp_path / "raw-normal"
    shard = folder / "shard-00000.h5"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:1000])
    with pytest.raises(StoreError, match=r"shard-00000.h5: .*Generate the set again"):
        open_pairs(folder)
    shard.write_bytes(whole)
    pairs = open_pairs(folder)
    shard.write_bytes(whole[:-50])
    with pytest.raises(StoreError, match=r"shard-00000.h5: .*cut short.*Generate the set again"):
        for _ in pairs:
            pass
    shard.unlink()
    with pytest.raises(StoreError, match="shard-00000.h5: "):
        open_pairs(folder)
    shard.write_bytes(whole)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "complete": False}))
    with pytest.raises(StoreError, match="raw-normal: .*1 shards so far. Run"):
        open_pairs(folder)
    (folder / "manifest.json").write_text(json.dumps({**manifest, "layout": 99}))
    with pytest.raises(StoreError, match="manifest.json: .* 99.*Give the folder"):
        open_pairs(folder)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match="manifest.json: .*Generate the set again"):
        open_pairs(folder)


def test_a_set_without_pairs_is_refused(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "copy")
    path = tmp_path / "copy" / "training" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "shards": []}))
    with pytest.raises(StoreError, match=r"manifest.json: shards: "):
        open_pairs(path.parent)


def test_a_picture_that_the_store_lacks(made: Path) -> None:
    reader = PictureReader(open_pairs(made / "training").pictures.path)
    assert reader.find(11) is None
    with pytest.raises(StoreError, match="expected picture 11, got none"):
        reader.positions(np.array([10, 11]))


def test_a_set_by_another_word_for_its_difficulty(made: Path, monkeypatch) -> None:
    monkeypatch.setenv("CISDL_DATA", str(made))
    for name in ("combination-medi", "combination-norm", str(made / "combination-medi")):
        assert open_pairs(name).name == "combination-normal"
    (chosen,) = open_chosen([made], ["combination-medi"], ListOptions(), Heard())
    assert chosen.name == "combination-normal"
