"""From the paths that a user names to sets and lists of pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cisdl_bench.adapters.files import is_file
from cisdl_bench.adapters.find import find_lists
from cisdl_bench.adapters.pairs import Opening, open_list
from cisdl_bench.errors import StoreError
from cisdl_bench.progress import Progress
from cisdl_bench.records import Pairs
from cisdl_bench.store.opening import open_pairs
from cisdl_bench.store.sets import find_sets


@dataclass(frozen=True)
class Lists:
    """How lists of other people's pairs are read, where ``--data`` names any.

    Attributes:
        images: Where their pictures lie; None is where the format has them.
        reference: NIST's reference; None is where its layout has it.
        size: Side of the canvas in px.
        skip_unusable: Leave out pairs whose files are missing or cannot be read.
        pictures: False where predictions are scored, which need no pictures.
    """

    images: Path | None = None
    reference: Path | None = None
    size: int = 256
    skip_unusable: bool = False
    pictures: bool = True

    def opening(self, path: Path) -> Opening:
        """Return how a list is opened."""
        return Opening(path, self.images, self.reference, self.size, pictures=self.pictures)


def find_pairs(
    data: Sequence[Path], names: Sequence[str], lists: Lists, progress: Progress
) -> list[Pairs]:
    """Return the chosen sets and lists.

    Args:
        data: Sets, folders of sets, lists of pairs, or folders of lists.
        names: One is chosen when it has one of these names, or begins with it and a hyphen. None
            given: all but sets named training.
        lists: How lists are read.
        progress: Hears how their files are looked at.

    Raises:
        CisdlError: Nothing is there, nothing is chosen, or a list cannot be used.
    """
    there = [each for path in data for each in _there(path, lists)]
    found = [each for name, each in there if _chosen(name, names)]
    if not found:
        listed = ", ".join(name for name, _ in there[:6])
        raise StoreError.expected(
            f"--set {' '.join(names)}" if names else data[0],
            "a set of that name" if names else "a test set",
            listed,
            "Name one of those, or generate it",
        )
    return [_opened(each, lists, progress) for each in found]


def one_of(path: Path, lists: Lists, progress: Progress) -> Pairs:
    """Return the set or the list at a path.

    Raises:
        CisdlError: There is none, there are several, or it cannot be used.
    """
    there = _there(path, lists)
    if len(there) != 1:
        names = ", ".join(name for name, _ in there[:6])
        raise StoreError.expected(path, "one set or list", names, "Name one of those")
    return _opened(there[0][1], lists, progress)


def _opened(place: Path | Opening, lists: Lists, progress: Progress) -> Pairs:
    if isinstance(place, Path):
        return open_pairs(place)
    return open_list(place, progress, skip_unusable=lists.skip_unusable)


def _there(path: Path, lists: Lists) -> list[tuple[str, Path | Opening]]:
    """Return the names and the places of what a user's path stands for."""
    if not is_file(path):
        try:
            return [(each.absolute().name, each) for each in find_sets(path)]
        except StoreError:
            if not (path.is_dir() and find_lists(path)):
                raise
    openings = [lists.opening(each) for each in find_lists(path)]
    return [(each.read().name, each) for each in openings]


def _chosen(folder: str, names: Sequence[str]) -> bool:
    if not names:
        return folder.split("-")[-1] != "training"
    words = [name.replace("/", "-").replace("-hard", "-difficult") for name in names]
    return any(folder == word or folder.startswith(f"{word}-") for word in words)
