"""A file in pieces of a limited size, for machines that hand back small files alone.

A piece is called ``NAME.NUMBER.HASH.1of2``: of the content of which number, its hash, and which
piece. `cat NAME.NUMBER.HASH.*` joins up to nine of them.
"""

import hashlib
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from cisdl_bench.store.atomic import write_whole

#: Largest size of a piece in bytes, 16 MiB.
MOST_BYTES = 1 << 24
_HASH_CHARACTERS = 16


class Joined(NamedTuple):
    """A file that was joined from its pieces.

    Attributes:
        number: Number that it was written under, such as the step of a training run.
        data: Content of the file.
    """

    number: int
    data: bytes


def write_pieces(
    folder: Path, name: str, number: int, data: bytes, most_bytes: int = MOST_BYTES
) -> list[Path]:
    """Write a file in pieces, and then remove the pieces of earlier content of its name.

    Whenever this is interrupted, the pieces of one of the two are all there.

    Args:
        folder: Folder that the pieces are written to.
        name: Name of the file.
        number: Number of the content; of several that are whole, the largest is read.
        data: Content of the file.
        most_bytes: Largest size of a piece in bytes.

    Raises:
        StoreError: The folder cannot be written.
    """
    parts = [data[k : k + most_bytes] for k in range(0, len(data), most_bytes)] or [b""]
    start = f"{name}.{number}.{_short_hash(data)}"
    paths = [folder / f"{start}.{k}of{len(parts)}" for k in range(1, len(parts) + 1)]
    for path, part in zip(paths, parts, strict=True):
        write_whole(path, part)
    remove_pieces(folder, name, keep=paths)
    return paths


def remove_pieces(folder: Path, name: str, keep: list[Path] | None = None) -> None:
    """Remove the pieces of a name, but for those that are kept."""
    for path, _, _ in _find_pieces(folder, name):
        if path not in (keep or ()):
            path.unlink(missing_ok=True)


def read_pieces(folder: Path, name: str) -> Joined | None:
    """Return the file of a name; None where no content of it is whole.

    Pieces that are missing, cut short or of another content do not match the hash in their names.
    """
    groups: dict[tuple[int, str, int], dict[int, Path]] = defaultdict(dict)
    for path, content, place in _find_pieces(folder, name):
        groups[content][place] = path
    for (number, short_hash, count), paths in sorted(groups.items(), reverse=True):
        if sorted(paths) != list(range(1, count + 1)):
            continue
        data = b"".join(paths[k].read_bytes() for k in sorted(paths))
        if _short_hash(data) == short_hash:
            return Joined(number, data)
    return None


def _find_pieces(folder: Path, name: str) -> list[tuple[Path, tuple[int, str, int], int]]:
    """Return each piece, its content (number, hash, count of pieces), and its place from 1."""
    pattern = re.compile(rf"{re.escape(name)}\.(\d{{1,15}})\.([0-9a-f]+)\.(\d{{1,3}})of(\d{{1,3}})")
    pieces = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = pattern.fullmatch(path.name)
        if match:
            number, short_hash, place, count = match.groups()
            pieces.append((path, (int(number), short_hash, int(count)), int(place)))
    return pieces


def _short_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_HASH_CHARACTERS]
