"""Downloads against a server on the loopback address."""

import hashlib
import http.server
import io
import re
import shutil
import stat
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Heard

from cisdl_bench.errors import DownloadError
from cisdl_bench.sources.archive import unpack
from cisdl_bench.sources.fetch import RemoteFile, downloads, fetch_file


class Server(http.server.ThreadingHTTPServer):
    files: dict[str, bytes]
    cut_after: int | None = None
    ranges: bool = True
    asked: list[str | None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        data = self.server.files.get(self.path)
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if data is None:
            self.send_error(404)
            return
        first = int(re.findall(r"\d+", wanted)[0]) if wanted and self.server.ranges else 0
        if first >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        part = data[first:]
        self.wfile.write(part if self.server.cut_after is None else part[: self.server.cut_after])

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    made.files, made.asked = {}, []
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def zipped(*names: str) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as opened:
        for name in names:
            opened.writestr(name, f"content of {name}" * 1000)
    return memory.getvalue()


def remote(data: bytes, **more: object) -> RemoteFile:
    sha256 = hashlib.sha256(data).hexdigest()
    return RemoteFile("zips/val2014.zip", sha256, len(data), "val2014", **more)


@pytest.fixture
def data(server: Server) -> bytes:
    made = zipped("val2014/a.jpg", "val2014/b.jpg")
    server.files["/zips/val2014.zip"] = made
    return made


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_downloads_checks_unpacks_and_does_it_once(server, data, tmp_path) -> None:
    told = Heard()
    target = fetch_file(remote(data), url(server), tmp_path, told, keep=False)
    assert target == tmp_path / "val2014"
    assert names(target) == {"a.jpg", "b.jpg"}
    assert names(tmp_path) == {"val2014"}
    assert told.counts == [["val2014.zip", len(data), len(data)]]
    fetch_file(remote(data), url(server), tmp_path, told, keep=False)
    assert len(server.asked) == 1
    assert told.lines == [f"{target}: already there"]


def test_a_cut_connection_keeps_its_part_and_goes_on(server, data, tmp_path) -> None:
    server.cut_after = len(data) // 3
    with pytest.raises(DownloadError, match=r"expected [\d,]+ bytes, got [\d,]+ .*to go on"):
        fetch_file(remote(data), url(server), tmp_path, Heard(), keep=True)
    assert names(tmp_path) == {"val2014.zip.part"}
    server.cut_after = None
    told = Heard()
    fetch_file(remote(data), url(server), tmp_path, told, keep=True)
    assert server.asked == [None, f"bytes={len(data) // 3}-"]
    assert told.counts == [["val2014.zip", len(data), len(data)]]
    assert (tmp_path / "val2014.zip").read_bytes() == data


@pytest.mark.parametrize("size_known", [True, False])
def test_stopped_while_a_whole_file_was_hashed_it_goes_on(server, tmp_path, size_known) -> None:
    data = b"weights" * 1000
    server.files["/a/w.pth"] = data
    sha256 = hashlib.sha256(data).hexdigest()
    file = RemoteFile("a/w.pth", sha256, len(data) if size_known else None)
    (tmp_path / "w.pth.part").write_bytes(data)
    target = fetch_file(file, url(server), tmp_path, Heard(), keep=False)
    assert target.read_bytes() == data
    assert server.asked == []


@pytest.mark.parametrize("extra", [b"", b"more"])
def test_a_whole_part_of_another_file_is_thrown_away(server, tmp_path, extra) -> None:
    data = b"weights" * 1000
    server.files["/a/w.pth"] = data
    file = RemoteFile("a/w.pth", hashlib.sha256(data).hexdigest())
    (tmp_path / "w.pth.part").write_bytes(bytes(len(data)) + extra)
    with pytest.raises(DownloadError, match="The file was removed: run the same command again"):
        fetch_file(file, url(server), tmp_path, Heard(), keep=False)
    fetch_file(file, url(server), tmp_path, Heard(), keep=False)
    assert (tmp_path / "w.pth").read_bytes() == data


def test_a_server_that_knows_no_ranges_starts_over(server, data, tmp_path) -> None:
    (tmp_path / "val2014.zip.part").write_bytes(data[:100])
    server.ranges = False
    fetch_file(remote(data), url(server), tmp_path, Heard(), keep=True)
    assert (tmp_path / "val2014.zip").read_bytes() == data


def test_a_wrong_hash_leaves_nothing(server, data, tmp_path) -> None:
    wrong = bytes([data[0] ^ 1]) + data[1:]
    with pytest.raises(DownloadError, match=r"val2014.zip: expected SHA-256 \w+, got \w+. The fil"):
        fetch_file(remote(wrong), url(server), tmp_path, Heard(), keep=False)
    assert names(tmp_path) == set()


def test_a_wrong_size_is_refused_before_anything_is_written(server, data, tmp_path) -> None:
    with pytest.raises(DownloadError, match="expected 3 bytes, got"):
        fetch_file(
            RemoteFile("zips/val2014.zip", "0", 3, "val2014"),
            url(server),
            tmp_path,
            Heard(),
            keep=False,
        )
    assert names(tmp_path) == set()


def test_what_is_not_there_and_who_is_not_there(server, tmp_path) -> None:
    missing = RemoteFile("gone.pth", "0")
    with pytest.raises(DownloadError, match="gone.pth: expected the file, got HTTP 404"):
        fetch_file(missing, url(server), tmp_path, Heard(), keep=False)
    with pytest.raises(DownloadError, match=r"Connection refused.*run the same command again"):
        fetch_file(missing, "http://127.0.0.1:9", tmp_path, Heard(), keep=False)


def test_a_full_disk_is_seen_before_and_while_writing(server, data, tmp_path, monkeypatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(DownloadError, match=r"expected 0.00 GB free for val2014.zip, got 0.00"):
            fetch_file(remote(data), url(server), tmp_path, Heard(), keep=False)
        (tmp_path / "val2014.zip").write_bytes(data)
        with pytest.raises(DownloadError, match="GB free to unpack val2014.zip"):
            fetch_file(remote(data), url(server), tmp_path, Heard(), keep=False)
        (tmp_path / "val2014.zip").unlink()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cisdl_bench.sources.fetch._copy", full)
    with pytest.raises(DownloadError, match="got 'No space left on device'. What is there is kept"):
        fetch_file(remote(data), url(server), tmp_path, Heard(), keep=False)
    assert "val2014" not in names(tmp_path)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "val2014/../../evil", "other/a.jpg", "val2014\\..\\..\\evil"]
)
def test_an_archive_that_reaches_outside_is_not_unpacked(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped("val2014/a.jpg", name))
    with pytest.raises(DownloadError, match="expected files inside val2014/ only, got"):
        unpack(path, tmp_path, "val2014")
    assert names(tmp_path) == {"a.zip"}


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    entry = zipfile.ZipInfo("val2014/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(entry, "/etc/passwd")
    with pytest.raises(DownloadError, match="a link, 'val2014/link'"):
        unpack(path, tmp_path, "val2014")


def test_a_damaged_archive_leaves_no_half_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    data = bytearray(zipped("val2014/a.jpg", "val2014/b.jpg"))
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DownloadError, match="expected a sound ZIP archive"):
        unpack(path, tmp_path, "val2014")
    path.write_bytes(b"no zip")
    with pytest.raises(DownloadError, match="expected a sound ZIP archive"):
        unpack(path, tmp_path, "val2014")
    assert names(tmp_path) == {"a.zip"}


def test_zip64_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with (
        zipfile.ZipFile(path, "w") as opened,
        opened.open("val2014/big", "w", force_zip64=True) as member,
    ):
        member.write(b"x" * 10)
    unpack(path, tmp_path, "val2014")
    assert (tmp_path / "val2014" / "big").read_bytes() == b"x" * 10


def test_the_published_files() -> None:
    base, files = downloads("coco2014")
    assert base.startswith("https://")
    assert [(file.name, file.bytes, file.unpacks) for file in files] == [
        ("annotations_trainval2014.zip", 252872794, "annotations"),
        ("val2014.zip", 6645013297, "val2014"),
        ("train2014.zip", 13510573713, "train2014"),
    ]
    assert downloads("vgg16")[1][0].name == "vgg16-397923af.pth"
