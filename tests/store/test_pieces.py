from pathlib import Path

import pytest

from cisdl_bench.store import pieces
from cisdl_bench.store.pieces import read_pieces, remove_pieces, write_pieces

DATA = bytes(range(256)) * 10


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_pieces_join_to_the_file(tmp_path: Path) -> None:
    paths = write_pieces(tmp_path, "run.state", 20, DATA, most_bytes=1000)
    assert [path.stat().st_size for path in paths] == [1000, 1000, 560]
    assert [path.name.rpartition(".")[2] for path in paths] == ["1of3", "2of3", "3of3"]
    assert b"".join(path.read_bytes() for path in paths) == DATA
    assert read_pieces(tmp_path, "run.state") == (20, DATA)
    assert read_pieces(tmp_path, "run") is None
    write_pieces(tmp_path, "empty", 0, b"")
    assert read_pieces(tmp_path, "empty") == (0, b"")


def test_new_content_replaces_old_content_and_nothing_else(tmp_path: Path) -> None:
    write_pieces(tmp_path, "run.state", 20, DATA, most_bytes=1000)
    (tmp_path / "run.state.txt").touch()
    write_pieces(tmp_path, "run", 3, b"other")
    write_pieces(tmp_path, "run.state", 10, b"new")
    assert read_pieces(tmp_path, "run.state") == (10, b"new")
    assert len(names(tmp_path)) == 3
    remove_pieces(tmp_path, "run.state")
    assert [name.partition(".3.")[0] for name in names(tmp_path)] == ["run", "run.state.txt"]


@pytest.mark.parametrize("after", range(4))
def test_killed_at_any_moment_one_content_is_whole(tmp_path: Path, monkeypatch, after) -> None:
    old, new = DATA, DATA[::-1]
    write_pieces(tmp_path, "run", 1, old, most_bytes=1000)
    written = []

    def dies(path: Path, *parts: bytes) -> None:
        if len(written) == after:
            raise KeyboardInterrupt
        written.append(path)
        path.write_bytes(b"".join(parts))

    monkeypatch.setattr(pieces, "write_whole", dies)
    if after < 3:
        with pytest.raises(KeyboardInterrupt):
            write_pieces(tmp_path, "run", 2, new, most_bytes=1000)
        assert read_pieces(tmp_path, "run") == (1, old)
    else:
        monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)  # killed before the old ones go
        write_pieces(tmp_path, "run", 2, new, most_bytes=1000)
        assert len(names(tmp_path)) == 6
        assert read_pieces(tmp_path, "run") == (2, new)


@pytest.mark.parametrize("damage", ["missing", "cut", "changed"])
def test_damaged_pieces_are_no_file(tmp_path: Path, damage: str) -> None:
    first, *_ = write_pieces(tmp_path, "run", 1, DATA, most_bytes=1000)
    if damage == "missing":
        first.unlink()
    else:
        first.write_bytes(first.read_bytes()[:-1] + (b"x" if damage == "changed" else b""))
    assert read_pieces(tmp_path, "run") is None
    assert read_pieces(tmp_path / "gone", "run") is None
