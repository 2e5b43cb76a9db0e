import json
import shutil
from pathlib import Path

import h5py
import pytest

from cisdl_bench.store.verify import verify_set


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def rehash(path: Path) -> None:
    """Make the manifest believe in a file as it is now."""
    import hashlib

    manifest = json.loads((path.parent / "manifest.json").read_text())
    for entry in manifest["shards"]:
        if entry["name"] == path.name:
            data = path.read_bytes()
            entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    (path.parent / "manifest.json").write_text(json.dumps(manifest))


def test_a_sound_set(copied: Path) -> None:
    advanced: list[int] = []
    assert verify_set(copied / "training", set(), advanced.append) == []
    assert sum(advanced) == 60


def test_one_flipped_byte_anywhere_is_found(copied: Path) -> None:
    shard = copied / "training" / "shard-00000.h5"
    picture = next((copied / "pictures").glob("train*/pictures-00000.h5"))
    for path in (shard, picture):
        whole = path.read_bytes()
        for at in (10, len(whole) // 2, len(whole) - 1):
            data = bytearray(whole)
            data[at] ^= 1
            path.write_bytes(data)
            problems = verify_set(copied / "training", set())
            assert len(problems) == 1
            assert problems[0].startswith(f"{path}: expected SHA-256")
        path.write_bytes(whole[:-5])
        assert "cut short" in verify_set(copied / "training", set())[0]
        path.unlink()
        assert "expected a shard, got No such file" in verify_set(copied / "training", set())[0]
        path.write_bytes(whole)
    assert verify_set(copied / "training", set()) == []


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("probe_area_px", 1, "expected 1 px in its probe mask"),
        ("donor_area_px", 1, "expected 1 px in its donor mask"),
        ("probe_top", 250, "expected a probe box on a canvas of 256 px"),
    ],
)
def test_content_that_contradicts_itself_is_found(copied, column, value, text) -> None:
    import re

    shard = copied / "training" / "shard-00000.h5"
    with h5py.File(shard, "r+") as file:
        rows = file["composites"][:]
        rows[column][3] = value
        file["composites"][:] = rows
    rehash(shard)
    problems = verify_set(copied / "training", set())
    assert any(re.search(text, problem) for problem in problems)


def test_other_pixels_under_a_right_hash_are_found(copied: Path) -> None:
    shard = copied / "training" / "shard-00000.h5"
    with h5py.File(shard, "r+") as file:
        file["bytes"][100] ^= 1
    rehash(shard)
    assert "its content does not fit its digest" in verify_set(copied / "training", set())[0]
    picture = next((copied / "pictures").glob("val*/pictures-00000.h5"))
    with h5py.File(picture, "r+") as file:
        file["pixels"][0, 0, 0, 0] ^= 1
    rehash(picture)
    problems = verify_set(copied / "combination-normal", set())
    assert "pixels do not fit their digest" in problems[0]


def test_another_fingerprint_or_count_is_found(copied: Path) -> None:
    path = copied / "training" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "fingerprint": "0" * 64}))
    assert "expected fingerprint 0000" in verify_set(copied / "training", set())[0]
    counts = {**manifest["counts"], "pairs": 61}
    path.write_text(json.dumps({**manifest, "counts": counts}))
    assert "expected 61 pairs, got 60" in verify_set(copied / "training", set())[0]
