"""Downloading files that resume, are checked, and are unpacked whole or not at all."""

import http.client
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cisdl_bench.errors import DownloadError
from cisdl_bench.hashing import hash_file
from cisdl_bench.packaged import packaged_toml
from cisdl_bench.progress import Progress
from cisdl_bench.sources.archive import unpack

_CHUNK = 1 << 20
_TIMEOUT_S = 60


@dataclass(frozen=True)
class RemoteFile:
    """One file of ``data_specs/downloads.toml``.

    Attributes:
        path: Path below the base address.
        sha256: Its hash.
        bytes: Size of the file; None where it is not published.
        unpacks: Folder that an archive unpacks to; None where the file is no archive.
        train_only: Whether ``--val-only`` leaves the file out.
    """

    path: str
    sha256: str
    bytes: int | None = None
    unpacks: str | None = None
    train_only: bool = False

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.rsplit("/", 1)[-1]


def downloads(what: str) -> tuple[str, list[RemoteFile]]:
    """Return the base address and the files of ``coco2014`` or ``vgg16``."""
    table: dict[str, Any] = packaged_toml("downloads.toml")[what]
    return table["base_url"], [RemoteFile(**entry) for entry in table["files"]]


def fetch_file(
    remote: RemoteFile, base_url: str, folder: Path, progress: Progress, *, keep: bool
) -> Path:
    """Return the file, or the folder it unpacks to, downloading what is not there yet.

    Args:
        remote: File to download.
        base_url: Address that the file's path is below.
        folder: Folder that the file is written to.
        progress: Receives progress updates and messages.
        keep: Whether an archive is kept after it is unpacked.

    Raises:
        DownloadError: The connection fails, size or hash are wrong, the archive would write
            outside its folder, or the disk is full. A part that may be right stays for the next
            try; nothing half-made gets a final name.
    """
    target = folder / (remote.unpacks or remote.name)
    if target.exists():
        progress.say(f"{target}: already there")
        return target
    archive = folder / remote.name
    partial = folder / f"{remote.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not archive.exists():
            _check_room(folder, remote, partial)
            _download(f"{base_url.rstrip('/')}/{remote.path}", remote, partial, progress)
            partial.replace(archive)
        if remote.unpacks:
            unpack(archive, folder, remote.unpacks)
            if not keep:
                archive.unlink()
    except OSError as error:
        raise DownloadError(
            f"{folder}: expected room and leave to write {remote.name}, got "
            f"'{error.strerror or error}'. What is there is kept: free some space and run the "
            "same command again."
        ) from error
    return target


def _check_room(folder: Path, remote: RemoteFile, partial: Path) -> None:
    there = partial.stat().st_size if partial.exists() else 0
    needed, free = (remote.bytes or 0) - there, shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError.expected(
            folder,
            f"{needed / 1e9:.2f} GB free for {remote.name}",
            f"{free / 1e9:.2f} GB",
            "Free some space, or choose another --into",
        )


def _download(url: str, remote: RemoteFile, partial: Path, progress: Progress) -> None:
    # A run may have been stopped while it hashed a file that was there as a whole.
    whole = partial.exists() and remote.bytes in (None, partial.stat().st_size)
    sha256 = hash_file(partial) if whole else ""
    if sha256 != remote.sha256 and (not whole or remote.bytes is None):
        _receive(url, remote, partial, progress)
        sha256 = hash_file(partial)
    if sha256 != remote.sha256:
        partial.unlink()
        raise DownloadError.expected(
            url,
            f"SHA-256 {remote.sha256}",
            sha256,
            "The file was removed: run the same command again, or use another --mirror",
        )


def _receive(url: str, remote: RemoteFile, partial: Path, progress: Progress) -> None:
    done = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url)  # noqa: S310
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            if done and answer.status != http.HTTPStatus.PARTIAL_CONTENT:
                partial.unlink()  # the server sends the whole file instead: begin anew
                done = 0
            length = answer.headers.get("Content-Length")
            size = done + int(length) if length else remote.bytes
            if remote.bytes is not None and size != remote.bytes:
                raise DownloadError.expected(
                    url, f"{remote.bytes:,} bytes", f"{size:,}", "Use another --mirror"
                )
            progress.start("B", size, done, remote.name)
            try:
                _copy(answer, partial, progress)
            finally:
                progress.stop()
    except urllib.error.HTTPError as error:
        if done and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # no byte is left to be sent: the hash says whether they are the right ones
        raise DownloadError.expected(
            url, "the file", f"HTTP {error.code} {error.reason}", "Use another --mirror"
        ) from error
    except (http.client.HTTPException, urllib.error.URLError, TimeoutError, ConnectionError) as e:
        raise _cut(url, remote, partial, getattr(e, "reason", e)) from e
    if size is not None and partial.stat().st_size < size:
        raise _cut(url, remote, partial, "the connection was closed")


def _copy(answer: http.client.HTTPResponse, partial: Path, progress: Progress) -> None:
    with partial.open("ab") as file:
        while block := answer.read(_CHUNK):
            file.write(block)
            progress.advance(len(block))


def _cut(url: str, remote: RemoteFile, partial: Path, reason: object) -> DownloadError:
    whole = f"{remote.bytes:,} bytes" if remote.bytes else "the whole file"
    done = partial.stat().st_size if partial.exists() else 0
    return DownloadError(
        f"{url}: expected {whole}, got {done:,} ({reason}). What is there is kept: run the same "
        "command again to go on."
    )
