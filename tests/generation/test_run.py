"""Whole runs: the same bytes however they come about, and nothing lost."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import Heard, change_coco, content, make, write_coco
from PIL import Image

from cisdl_bench.errors import SourceError, StoreError
from cisdl_bench.generation.jobs import make_recipe_job
from cisdl_bench.generation.run import make_sets
from cisdl_bench.records import DIFFICULTIES
from cisdl_bench.sources.coco import open_coco
from cisdl_bench.specs import load_spec, spec_text
from cisdl_bench.store import open_pairs
from cisdl_bench.store.folder import DataFolder
from cisdl_bench.store.summary import parameter_lines
from cisdl_bench.store.verify import verify_set


def test_one_and_two_workers_give_the_same_bytes(coco: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        make(coco, tmp_path / str(jobs), "training", pairs=900, jobs=jobs)
        make(coco, tmp_path / str(jobs), "scale", "raw", pairs=50, jobs=jobs)
    assert content(tmp_path / "1") == content(tmp_path / "2")


def test_a_shard_is_on_the_disk_before_a_manifest_names_it(coco, tmp_path, monkeypatch) -> None:
    settled = []

    def flushed(path: Path) -> None:
        manifest = path.parent / "manifest.json"
        named = json.loads(manifest.read_text())["shards"] if manifest.exists() else []
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert digest not in [entry["sha256"] for entry in named]
        settled.append(path.name)

    monkeypatch.setattr("cisdl_bench.store.sets.flushed", flushed)
    monkeypatch.setattr("cisdl_bench.store.pictures.flushed", flushed)
    manifest = make(coco, tmp_path, "raw")[0]
    names = [entry["name"] for entry in manifest["shards"]]
    assert {"pictures-00000.h5", *names} <= set(settled)


def test_asked_twice_it_is_done_once(coco: Path, tmp_path: Path) -> None:
    first = make(coco, tmp_path, "rotation")
    before = content(tmp_path)
    told = Heard()
    assert make(coco, tmp_path, "rotation", progress=told) == first
    assert content(tmp_path) == before
    assert told.lines == [f"{tmp_path / 'rotation-normal'}: already finished; nothing to do"]


def test_counts_add_up(coco: Path, tmp_path: Path) -> None:
    told = Heard()
    manifest = make(coco, tmp_path, "training", pairs=600, progress=told)[0]
    counts = manifest["counts"]
    assert counts["pairs"] == 600
    assert counts["kinds"] == {"foreground": 200, "background": 200, "negative": 200}
    assert sum(counts["difficulties"].values()) == 200
    assert counts["candidates"] == 200 + sum(counts["refused"].values())
    assert told.counts == [["pictures", 14, 14], ["pairs", 600, 600]]
    rows = open_pairs(tmp_path / "training").rows
    assert len(np.unique(rows["index"])) == 200


@pytest.mark.parametrize(
    "name", ["combination", "raw", "shift", "rotation", "scale", "luminance", "deformation"]
)
def test_areas_are_in_their_class_and_only_the_sets_own_parameters_vary(coco, tmp_path, name):
    own = {
        "shift": {"shift_x_px", "shift_y_px"},
        "rotation": {"rotation_deg"},
        "scale": {"scale"},
        "luminance": {"luminance"},
        "deformation": {"width_factor"},
    }
    allowed = set().union(*own.values()) if name == "combination" else own.get(name, set())
    wide = "width_factor" in allowed
    make(coco, tmp_path, name, difficulty="all", pairs=30)
    for difficulty in DIFFICULTIES:
        pairs = open_pairs(tmp_path / f"{name}-{difficulty}")
        above, at_most = load_spec(name).areas[difficulty]
        for column in ("donor_area_px", "probe_area_px"):
            share = pairs.rows[column] / 256**2
            assert ((share > above) & (share <= at_most)).all()
        assert set(pairs.parameters) == allowed | ({"height_factor"} if wide else set())
        neutral = {"scale": 1, "width_factor": 1, "height_factor": 1}
        for column in pairs.parameters:
            changed = pairs.rows[column] != neutral.get(column, 0)
            assert changed.any() == (column in allowed), column


def test_another_request_is_refused_and_overwrite_replaces(coco: Path, tmp_path: Path) -> None:
    first = make(coco, tmp_path, "raw", pairs=30)[0]
    with pytest.raises(StoreError, match=r"\(seed: 0, not 1\). Use --over"):
        make(coco, tmp_path, "raw", pairs=30, seed=1)
    with pytest.raises(StoreError, match=r"\(pairs: 30, not 31\). Use --over"):
        make(coco, tmp_path, "raw", pairs=31)
    second = make(coco, tmp_path, "raw", pairs=30, seed=1, overwrite=True)[0]
    assert second["fingerprint"] != first["fingerprint"]
    assert make(coco, tmp_path, "raw", pairs=30, overwrite=True)[0] == first


def test_a_damaged_or_missing_shard_of_an_unfinished_run_is_made_again(coco, tmp_path) -> None:
    make(coco, tmp_path / "a", "raw", pairs=700)
    expected = content(tmp_path / "a")
    folder = tmp_path / "a" / "raw-normal"
    shards = sorted(folder.glob("shard-*"))
    assert len(shards) >= 3
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "complete": False}))
    data = bytearray(shards[0].read_bytes())
    data[-1] ^= 1
    shards[0].write_bytes(data)
    shards[1].unlink()
    told = Heard()
    make(coco, tmp_path / "a", "raw", pairs=700, progress=told)
    assert [line.split(":")[0] for line in told.lines[:2]] == [str(p) for p in shards[:2]]
    assert content(tmp_path / "a") == expected


def test_a_finished_set_that_lost_a_shard_is_mended(coco, tmp_path) -> None:
    make(coco, tmp_path, "raw", pairs=700)
    expected = content(tmp_path)
    (tmp_path / "raw-normal" / "shard-00001.h5").unlink()
    make(coco, tmp_path, "raw", pairs=700)
    assert content(tmp_path) == expected


def test_pictures_that_are_put_right_are_used(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco", count=6)
    away = tmp_path / "away"
    (root / "val2014").rename(away)
    (root / "val2014").mkdir()
    with pytest.raises(
        SourceError, match=r"raw-normal: expected at least one pair, got none \(file"
    ):
        make_test(root, tmp_path / "out", Heard())
    for path in away.iterdir():
        shutil.copy(path, root / "val2014")
    mended = make_test(root, tmp_path / "out", Heard())
    fresh = make_test(root, tmp_path / "fresh", Heard())
    assert mended["fingerprint"] == fresh["fingerprint"]
    assert mended["counts"] == fresh["counts"]


def test_a_finished_set_made_without_pictures_that_are_there_now_is_not_the_same(tmp_path) -> None:
    root = write_coco(tmp_path / "coco", count=8)
    lost = sorted((root / "val2014").iterdir())[2]
    data = lost.read_bytes()
    lost.unlink()
    first = make_test(root, tmp_path / "out", Heard())
    assert make_test(root, tmp_path / "out", Heard()) == first
    lost.write_bytes(data)
    for _ in range(2):
        with pytest.raises(
            StoreError, match="that can be used now, such as picture 30. Use --over"
        ):
            make_test(root, tmp_path / "out", Heard())
    made = make_test(root, tmp_path / "out", Heard(), overwrite=True)
    assert made["fingerprint"] == make_test(root, tmp_path / "fresh", Heard())["fingerprint"]
    assert made["counts"]["unusable_pictures"] == {}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_cut_picture_store_is_mended(coco: Path, tmp_path: Path, overwrite: bool) -> None:
    first = make(coco, tmp_path, "raw", pairs=60)[0]
    shard = next((tmp_path / "pictures").glob("*/pictures-00000.h5"))
    shard.write_bytes(shard.read_bytes()[:-100])
    told = Heard()
    assert make(coco, tmp_path, "raw", pairs=60, progress=told, overwrite=overwrite)[0] == first
    assert told.lines[0] == f"{shard}: damaged or missing, made again"
    assert not verify_set(tmp_path / "raw-normal", set())


def test_overwrite_finds_a_picture_shard_with_one_byte_flipped(coco: Path, tmp_path: Path) -> None:
    first = make(coco, tmp_path, "raw", pairs=60)[0]
    shard = next((tmp_path / "pictures").glob("*/pictures-00000.h5"))
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    assert verify_set(tmp_path / "raw-normal", set())
    assert make(coco, tmp_path, "raw", pairs=60, overwrite=True)[0] == first
    assert not verify_set(tmp_path / "raw-normal", set())


def test_the_old_set_stays_until_the_new_one_is_whole(coco, tmp_path, monkeypatch) -> None:
    old = make(coco, tmp_path, "raw", pairs=60)[0]
    (tmp_path / "raw-normal" / "mine.txt").write_text("a user's own file")

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cisdl_bench.store.sets.SetFolder.finish", fail)
        with pytest.raises(KeyboardInterrupt):
            make(coco, tmp_path, "raw", pairs=60, seed=1, overwrite=True)
    assert open_pairs(tmp_path / "raw-normal").fingerprint == old["fingerprint"]
    told = Heard()
    new = make(coco, tmp_path, "raw", pairs=60, seed=1, overwrite=True, progress=told)[0]
    assert any("made again" in line for line in told.lines)  # it went on where it was
    assert open_pairs(tmp_path / "raw-normal").fingerprint == new["fingerprint"]
    assert (tmp_path / "raw-normal" / "mine.txt").exists()
    assert not list(tmp_path.glob(".raw-normal*"))
    assert not verify_set(tmp_path / "raw-normal", set())


def test_a_run_that_ended_between_two_renames_has_its_old_set_again(coco, tmp_path) -> None:
    old = make(coco, tmp_path, "raw", pairs=60)[0]
    (tmp_path / "raw-normal").rename(tmp_path / ".raw-normal.old")
    assert make(coco, tmp_path, "raw", pairs=60)[0] == old


def test_a_manifest_says_nothing_of_the_other_sets_in_its_folder(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco", count=8)
    write_coco(root, "train", count=8)
    sorted((root / "val2014").iterdir())[2].unlink()
    make(root, tmp_path / "both", "combination", pairs=400)
    assert make(root, tmp_path / "both", "raw", pairs=9) == make(
        root, tmp_path / "one", "raw", pairs=9
    )


def test_composites_that_repeat_are_counted_and_said(coco: Path, tmp_path: Path) -> None:
    told = Heard()
    manifest = make(coco, tmp_path, "raw", pairs=700, progress=told)[0]
    seen = {
        hashlib.sha256(b"".join((p.probe, p.donor, p.probe_mask, p.donor_mask))).digest()
        for p in open_pairs(tmp_path / "raw-normal")
    }
    assert manifest["counts"]["repeated"] == 700 - len(seen) > 0
    assert any("repeat an earlier one" in line for line in told.lines)


def command(coco: Path, out: Path, *more: str) -> list[str]:
    names = ("--set", "raw", "--set", "combination", "--difficulty", "normal", "--pairs", "1500")
    base = [sys.executable, "-m", "cisdl_bench", "generate", "--coco", str(coco)]
    return [*base, "--out", str(out), "--jobs", "2", *names, *more]


def test_killed_at_any_moment_the_same_command_finishes_the_same_set(coco, tmp_path) -> None:
    subprocess.run(command(coco, tmp_path / "whole"), check=True, capture_output=True)
    out = tmp_path / "killed"
    seen, killed = set(), 0
    for n in range(6):
        process = subprocess.Popen(
            command(coco, out),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Wait for something new to be there, a picture shard first, then more and more shards.
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            here = {*out.glob("*/*.h5"), *out.glob("pictures/*/*.h5")} if out.exists() else set()
            if len(here) > len(seen) + (n > 0):
                break
            time.sleep(0.005)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
        seen = {*out.glob("*/*.h5"), *out.glob("pictures/*/*.h5")}
    assert killed >= 2
    subprocess.run(command(coco, out), check=True, capture_output=True)
    assert content(out) == content(tmp_path / "whole")
    assert not verify_set(out / "raw-normal", set())


def test_two_runs_into_one_folder_at_once(coco: Path, tmp_path: Path) -> None:
    storage = DataFolder(tmp_path)
    with storage.lock(), pytest.raises(StoreError, match=r"is writing there. Wait for it"):
        make(coco, tmp_path, "raw")
    assert make(coco, tmp_path, "raw")[0]["complete"]


def test_a_full_disk_keeps_what_is_finished(coco: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: the write fails as on a full one."""
    out = tmp_path / "out"
    make(coco, out, "raw", pairs=300)
    shutil.rmtree(out / "raw-normal")
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000));"
        "from cisdl_bench.cli.main import main; main()"
    )
    arguments = ["--set", "raw", "--difficulty", "normal", "--pairs", "300", "--jobs", "1"]
    shown = subprocess.run(
        [
            sys.executable,
            "-c",
            limited,
            "generate",
            "--coco",
            str(coco),
            "--out",
            str(out),
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 2
    line = shown.stderr.strip()
    assert "\n" not in line
    assert "shard-00000.h5: " in line
    assert "free some space" in line
    assert "What is finished is kept" in line
    assert not list(out.rglob("*.part"))
    assert make(coco, out, "raw", pairs=300)[0]["complete"]


def test_a_folder_that_cannot_be_written(coco: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    of = open_coco(coco, "val", tmp_path / "index")
    from cisdl_bench.generation.jobs import make_set_jobs

    set_jobs = make_set_jobs(["raw"], ["easy"], lambda _: of, seed=0, pairs=10)
    with pytest.raises(StoreError, match="out: expected a place to write to, got 'Not a"):
        make_sets(set_jobs, DataFolder(blocked / "out"), Heard())


def test_bad_pictures_are_skipped_counted_and_listed(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco", count=14)
    files = sorted((root / "val2014").iterdir())
    Image.open(files[0]).convert("L").save(files[0])
    files[1].write_bytes(files[1].read_bytes()[:900])
    files[2].unlink()

    def spoil(table: dict) -> None:
        table["annotations"][9]["segmentation"] = [[1, 1, 2, 2]]
        table["images"][12]["width"] += 1

    change_coco(root, spoil)
    told = Heard()
    manifest = make_test(root, tmp_path / "out", told)
    counts = manifest["counts"]
    assert counts["pairs"] == 120
    assert counts["unusable_pictures"] == {
        "another size than its annotations say": 1,
        "cut short": 1,
        "file missing": 1,
        "not RGB (L)": 1,
    }
    assert counts["refused"]["donor cannot be used"] > 0
    assert counts["refused"]["background cannot be used"] > 0
    assert manifest["source"]["skipped"]["annotation: polygon of fewer than three points"] == 1
    listed = (tmp_path / "out" / "raw-normal" / "skipped.csv").read_text().splitlines()
    assert listed[0] == "what,id,reason"
    assert "annotation,109,polygon of fewer than three points" in listed
    assert {"picture,10,not RGB (L)", "picture,20,cut short", "picture,30,file missing"} <= set(
        listed
    )


def make_test(root: Path, out: Path, told: Heard, **settings: bool) -> dict:
    of = open_coco(root, "val", out / "index")
    from cisdl_bench.generation.jobs import make_set_jobs

    set_jobs = make_set_jobs(["raw"], ["normal"], lambda _: of, seed=0, pairs=120)
    return make_sets(set_jobs, DataFolder(out), told, **settings)[0]


def test_a_source_without_a_fitting_instance_is_refused(tmp_path: Path, coco: Path) -> None:
    root = write_coco(tmp_path / "coco", count=4)
    change_coco(root, lambda table: table.update(annotations=table["annotations"][::3]))
    with pytest.raises(SourceError, match="raw-normal from val2014: expected pictures with an in"):
        make_test(root, tmp_path / "out", Heard())


def test_a_recipe_builds_the_same_set_again(coco: Path, tmp_path: Path) -> None:
    for name, folder in (("training", "training"), ("combination", "combination-normal")):
        manifest = make(coco, tmp_path / "first", name, pairs=90)[0]
        recipe = tmp_path / f"{name}.csv"
        recipe.write_text("\n".join(parameter_lines(tmp_path / "first" / folder)))
        out = tmp_path / "second"
        order, fingerprint = make_recipe_job(
            recipe, lambda split, out=out: open_coco(coco, split, out / "index")
        )
        again = make_sets([order], DataFolder(out), Heard(), jobs=2)[0]
        assert again["fingerprint"] == fingerprint == manifest["fingerprint"]
        assert not verify_set(out / folder, set())


def test_a_recipe_of_other_photographs_says_what_is_missing(coco, tmp_path) -> None:
    make(coco, tmp_path / "first", "raw", pairs=30)
    lines = list(parameter_lines(tmp_path / "first" / "raw-normal"))
    cells = lines[2].split(",")
    for at, value in ((1, "999"), (2, "999")):
        changed = [*cells]
        changed[at] = value
        recipe = tmp_path / "r.csv"
        recipe.write_text("\n".join([*lines[:2], ",".join(changed), *lines[3:]]))
        order, _ = make_recipe_job(recipe, lambda _: open_coco(coco, "val", tmp_path / "index"))
        manifest = make_sets([order], DataFolder(tmp_path / str(at)), Heard())[0]
        assert manifest["counts"]["pairs"] == 29
        assert sum(manifest["counts"]["refused"].values()) == 1


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda lines: lines[1:], "expected a first line that begins with '# cisdl-bench recipe'"),
        (
            lambda lines: [lines[0], lines[1].replace("shift_x", "shift"), *lines[2:]],
            "no shift_x_px",
        ),
        (lambda lines: [*lines[:2], lines[2].replace("normal", "nrml")], "difficulty nrml"),
        (lambda lines: [*lines[:2], "x" + lines[2]], "expected a table of whole ids"),
    ],
)
def test_a_broken_recipe_ends_in_one_line(coco, tmp_path, change, text) -> None:
    make(coco, tmp_path / "first", "shift", pairs=30)
    recipe = tmp_path / "r.csv"
    lines = list(parameter_lines(tmp_path / "first" / "shift-normal"))
    recipe.write_text("\n".join(change(lines)))
    with pytest.raises(SourceError, match=text):
        make_recipe_job(recipe, lambda _: open_coco(coco, "val", tmp_path / "index"))


def test_a_canvas_of_512_and_jpeg_composites(coco: Path, tmp_path: Path) -> None:
    make(coco, tmp_path, "release/combination", pairs=12)
    pairs = open_pairs(tmp_path / "release-combination-normal")
    assert pairs.size == 512
    assert pairs.rows["opaque"].all()
    assert not verify_set(pairs.path, set())
    pair = pairs[0]
    background = np.empty_like(pair.probe)
    position = pairs.pictures.find(int(pairs.rows[0]["background_id"]))
    pairs.pictures.read_into(position, background)
    outside = ~pair.probe_mask
    difference = np.abs(pair.probe.astype(int) - background)[outside]
    assert 0 < difference.mean() < 10  # JPEG changed what was not pasted, a little


def test_all_21_sets_of_real_photographs(coco_mini: Path, tmp_path: Path) -> None:
    made = make(coco_mini, tmp_path, "all", difficulty="all", pairs=20, jobs=2)
    assert len(made) == 21
    assert all(manifest["counts"]["pairs"] == 20 for manifest in made)
    assert len({manifest["fingerprint"] for manifest in made}) == 21
    checked: set[Path] = set()
    for path in sorted(tmp_path.glob("*-*")):
        assert not verify_set(path, checked)
    assert len(list((tmp_path / "pictures").iterdir())) == 1


def test_a_set_of_ones_own_with_a_packaged_name_is_noted(coco: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(spec_text("rotation").replace("high = 30", "high = 20"))
    told = Heard()
    manifest = make(coco, tmp_path, str(mine), pairs=10, progress=told)[0]
    assert [note for note in manifest["notes"] if "packaged set rotation" in note]
    assert any("packaged set rotation" in line for line in told.lines)
