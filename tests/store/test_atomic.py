import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cisdl_bench.errors import StoreError
from cisdl_bench.scratch import scratch_file, scratch_folder, sweep
from cisdl_bench.store.atomic import locked, read_json, write_shard, write_whole


def test_pieces_are_joined_and_hashed(tmp_path: Path) -> None:
    import hashlib

    entry = write_shard(tmp_path / "a" / "b.h5", b"one", memoryview(b"two"), b"")
    assert (tmp_path / "a" / "b.h5").read_bytes() == b"onetwo"
    assert entry == {"bytes": 6, "sha256": hashlib.sha256(b"onetwo").hexdigest()}
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.h5"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "a: .*3 bytes.*free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EIO, "a: .*Input/output error.*Check the disk"),
    ],
)
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, number, text) -> None:
    path = tmp_path / "a"
    write_whole(path, b"old")

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match=text):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_real_full_disk(tmp_path: Path) -> None:
    """On a memory disk of 64 KB, where this machine lets us mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a memory disk is not allowed here")
    try:
        write_whole(disk / "small", b"x" * 1000)
        with pytest.raises(StoreError, match=r"large: .*0.1 MB.*free some space"):
            write_whole(disk / "large", b"x" * 100_000)
        assert [path.name for path in disk.iterdir()] == ["small"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_the_lock_names_its_holder_and_falls(tmp_path: Path) -> None:
    taken = pytest.raises(StoreError, match=f"process {os.getpid()} .*Wait for it")
    with locked(tmp_path), taken, locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_the_lock_sweeps_up_what_killed_runs_left(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "run" / "masks").mkdir(parents=True)
    names = (
        ".state.torch-x.part",
        "set/.shard-00000.h5-x.part",
        "run/masks/.000001-probe.png-x.part",
    )
    for name in names:
        (tmp_path / name).touch()
    with locked(tmp_path):
        assert not [name for name in names if (tmp_path / name).exists()]


def test_what_a_living_process_writes_is_never_swept(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "out.h5") as mine:
        handle, file = scratch_file(tmp_path / "out.h5")
        sweep(tmp_path)
        assert mine.is_dir()
        assert file.is_file()
        os.close(handle)
        sweep(tmp_path, "other.h5")
        assert file.is_file()
        sweep(tmp_path, "out.h5")
        assert not file.exists()
    assert not mine.exists()


def test_an_export_sweeps_what_a_killed_one_left(tmp_path: Path) -> None:
    kill = (
        "import os, sys; from pathlib import Path; from cisdl_bench.scratch import scratch_folder\n"
        "with scratch_folder(Path(sys.argv[1])) as made:\n"
        "    (made / 'half').write_bytes(bytes(9)); os.kill(os.getpid(), 9)"
    )
    target = tmp_path / "out.h5"
    subprocess.run([sys.executable, "-c", kill, str(target)], check=False)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    with scratch_folder(target) as made:
        assert list(tmp_path.iterdir()) == [made]


def test_json_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text in ("{", "[1]", "\xff"):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(StoreError, match=r"a.json: expected .*\. Write it again\."):
            read_json(path, "a manifest")
    path.write_text(json.dumps({"a": 1}))
    assert read_json(path, "a manifest") == {"a": 1}


def test_what_a_killed_worker_leaves_is_swept_at_the_end_of_the_run(tmp_path: Path) -> None:
    left = tmp_path / "raw-easy" / ".shard-00000.h5-abc.part"
    with locked(tmp_path):
        left.parent.mkdir()
        left.write_bytes(b"half")
    assert not left.exists()
