"""What ``--data`` names: sets, lists of other people's pairs, and folders of either."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cisdl_bench.adapters.files import is_file
from cisdl_bench.adapters.find import find_format, find_lists, read_list
from cisdl_bench.adapters.formats import folder_format
from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.errors import StoreError
from cisdl_bench.folders import data_folder, find_named
from cisdl_bench.pairs import Pairs
from cisdl_bench.progress import Progress
from cisdl_bench.records import set_names
from cisdl_bench.store.opening import open_pairs
from cisdl_bench.store.sets import find_sets


@dataclass(frozen=True)
class PairSource:
    """One set or one list, not yet opened.

    Attributes:
        name: Name that results are filed under.
        path: Folder of the set, or file or folder of the list.
        is_list: Whether it is a list.
        part: Part of the list, see ``ListOptions``.
    """

    name: str
    path: Path
    is_list: bool
    part: str = ""

    def open(self, options: ListOptions, progress: Progress) -> Pairs:
        """Return the pairs; options and progress are for lists.

        Raises:
            CisdlError: The set is broken, or the list cannot be used.
        """
        if not self.is_list:
            return open_pairs(self.path)
        return open_list(self.path, replace(options, part=self.part), progress)


def find_sources(path: Path, options: ListOptions) -> list[PairSource]:
    """Return the sets or lists that a path stands for.

    A part of a data set is called like a file of its folder, such as ``biofors/biofors-facs``.

    Raises:
        CisdlError: There is none.
    """
    if not path.exists() and folder_format(path.parent):
        return [_find_part(path, options)]
    if not is_file(path):
        try:
            return [PairSource(each.absolute().name, each, False) for each in find_sets(path)]
        except StoreError as error:
            if not path.is_dir():
                raise
            if not find_lists(path):
                raise StoreError(
                    f"{path}: there is no set, and no data set that is known. Run `cisdl-bench "
                    "generate`; `cisdl-bench datasets` lists what can be read."
                ) from error
    return [source for each in find_lists(path) for source in _read_sources(each, options)]


def _find_part(path: Path, options: ListOptions) -> PairSource:
    """Return the part of a data set that a path below its folder names.

    Raises:
        StoreError: There is none of that name.
    """
    parts = find_sources(path.parent, options)
    for source in parts:
        if source.name == path.name:
            return source
    known = ", ".join(source.name for source in parts)
    raise StoreError.expected(path, f"one of {known}", "no such part", "Name one of those")


def _read_sources(path: Path, options: ListOptions) -> list[PairSource]:
    """Return the source of a list, or one for each of its parts that has pairs."""
    form = find_format(path)
    if form is None or not form.parts:
        name = form.name if form and form.folder else read_list(path, options).name
        return [PairSource(name, path, True)]
    parts = [(part, read_list(path, replace(options, part=part))) for part in form.parts]
    return [PairSource(listed.name, path, True, part) for part, listed in parts if listed.pairs]


def open_chosen(
    data: Sequence[Path], names: Sequence[str], options: ListOptions, progress: Progress
) -> list[Pairs]:
    """Return the pairs of the chosen sets and lists.

    Args:
        data: Sets, folders of sets, lists of pairs, or folders of lists; a bare name that is no
            path stands for a set in the folder of data.
        names: Chosen names; a source is chosen when it has one of these names, or begins with it
            and a hyphen. None given: all but sets named training in a folder of sets.
        options: Canvas, folders and rules for reading lists.
        progress: Receives progress updates and messages.

    Raises:
        CisdlError: Nothing is there, nothing is chosen, or a list cannot be used.
    """
    sources, chosen = [], []
    for path in data:
        folder = find_named(path, data_folder())
        for source in find_sources(folder, options):
            sources.append(source)
            named_by_path = not names and source.path == folder
            if named_by_path or _is_chosen(source.name, names):
                chosen.append(source)
    unknown = [name for name in names if not any(_is_chosen(s.name, [name]) for s in sources)]
    if unknown or not chosen:
        known = ", ".join(source.name for source in sources[:6])
        missing = f"{data[0]}: there is no test set"
        if names:
            missing = f"--set {' '.join(unknown)}: no set has that name"
        raise StoreError(f"{missing}. Name one of {known}, or generate it.")
    return [source.open(options, progress) for source in chosen]


def open_one(path: Path, options: ListOptions, progress: Progress) -> Pairs:
    """Return the pairs of the set or the list at a path.

    Raises:
        CisdlError: There is none, there are several, or it cannot be used.
    """
    sources = find_sources(find_named(path, data_folder()), options)
    if len(sources) != 1:
        names = ", ".join(source.name for source in sources[:6])
        raise StoreError(f"{path} holds several sets or lists: {names}. Name one of those.")
    return sources[0].open(options, progress)


def _is_chosen(name: str, names: Sequence[str]) -> bool:
    if not names:
        return name.split("-")[-1] != "training"
    return any(name == word or name.startswith(f"{word}-") for word in set_names(names))
