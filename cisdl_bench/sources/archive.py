"""Unpacking a ZIP archive into one folder, whole or not at all."""

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from cisdl_bench.errors import DownloadError
from cisdl_bench.scratch import scratch_folder


def unpack(archive: Path, folder: Path, top: str) -> None:
    """Unpack an archive whose members all lie in one folder of a given name.

    Members are looked at before anything is written; then everything is unpacked under a
    temporary name and only renamed when it is whole. ZIP64 archives are fine.

    Args:
        archive: ZIP file.
        folder: Folder that ``top`` is unpacked into.
        top: Name of the folder that the archive holds.

    Raises:
        DownloadError: It is no ZIP archive, is damaged, holds anything outside ``top`` or a
            link, or does not fit on the disk.
        OSError: Writing fails.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            for member in members:
                _check(archive, member, top)
            needed, free = sum(m.file_size for m in members), shutil.disk_usage(folder).free
            if needed > free:
                raise DownloadError.expected(
                    folder,
                    f"{needed / 1e9:.2f} GB free to unpack {archive.name}",
                    f"{free / 1e9:.2f} GB",
                    "Free some space and run the same command again",
                )
            with scratch_folder(folder / top) as partial:
                for member in members:
                    opened.extract(member, partial)
                (partial / top).replace(folder / top)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise DownloadError.expected(
            archive, "a sound ZIP archive", f"'{error}'", "Remove it and run the command again"
        ) from error


def _check(archive: Path, member: zipfile.ZipInfo, top: str) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    link = stat.S_ISLNK(member.external_attr >> 16)
    if link or path.is_absolute() or ".." in path.parts or path.parts[:1] != (top,):
        raise DownloadError.expected(
            archive,
            f"files inside {top}/ only",
            f"{'a link, ' if link else ''}{member.filename!r}",
            "Nothing was unpacked: the archive is not the published one",
        )
