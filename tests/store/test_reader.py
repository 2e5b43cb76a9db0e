"""What is read back, against a second reader written from the layout's description alone."""

import json
import multiprocessing
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import make

from cisdl_bench.errors import StoreError
from cisdl_bench.generate.compose import compose_range
from cisdl_bench.generate.plan import DrawnPlan
from cisdl_bench.generate.tasks import Canvas
from cisdl_bench.records import Pair
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
    plan = DrawnPlan(load_spec("training"), "all", 0, source, unbounded=True)
    canvas = Canvas(source, pairs.pictures, 256)
    composites, _, _ = compose_range(plan, 0, 100, canvas, limit=20)
    for k, composite in enumerate(composites):
        pair = pairs[3 * k]
        background = pairs[3 * k + 1].donor.copy()
        composite.paste_into(background)
        assert np.array_equal(pair.probe, background)
        assert np.array_equal(pair.probe_mask, composite.probe_mask.on_canvas(256))
        assert np.array_equal(pair.donor_mask, composite.donor_mask.on_canvas(256))
        assert pair.numbers["index"] == composite.index
        assert pair.numbers["scale"] == composite.parameters.scale


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


def test_what_cannot_be_read_is_named(coco: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"manifest.json: expected a set's manifest, got no such"):
        open_pairs(tmp_path)
    make(coco, tmp_path, "raw", pairs=20)
    folder = tmp_path / "raw-normal"
    shard = folder / "shard-00000.h5"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:1000])
    with pytest.raises(StoreError, match=r"shard-00000.h5: expected a shard of this layout, got"):
        open_pairs(folder)
    shard.write_bytes(whole)
    pairs = open_pairs(folder)
    shard.write_bytes(whole[:-50])
    with pytest.raises(StoreError, match=r"expected \d+ bytes at \d+, got \d+, the shard was cut"):
        for _ in pairs:
            pass
    shard.unlink()
    with pytest.raises(StoreError, match="expected a shard of this layout, got"):
        open_pairs(folder)
    shard.write_bytes(whole)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "complete": False}))
    with pytest.raises(
        StoreError, match="expected a finished set, got one of 1 shards so far. Run"
    ):
        open_pairs(folder)
    (folder / "manifest.json").write_text(json.dumps({**manifest, "layout": 99}))
    with pytest.raises(StoreError, match="expected cisdl-bench set of layout 1, got .* 99"):
        open_pairs(folder)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match="expected a set's manifest, got Expecting"):
        open_pairs(folder)


def test_a_picture_that_the_store_lacks(made: Path) -> None:
    reader = PictureReader(open_pairs(made / "training").pictures.path)
    assert reader.find(11) is None
    with pytest.raises(StoreError, match="expected picture 11, got none"):
        reader.positions(np.array([10, 11]))
