"""Where things lie that no option names: environment variables, else folders of the working one."""

import os
from pathlib import Path

from cisdl_bench.records import set_name

#: Folder of the sets: where `generate` writes and others look.
DATA = "CISDL_DATA"
#: Folder of the results of `score`, one folder a detector.
SCORES = "CISDL_SCORES"
#: Folder of what can be made or fetched again: built-in pictures, indexes, features.
CACHE = "CISDL_CACHE"


def data_folder() -> Path:
    """Return the folder that CISDL_DATA names, else ``cisdl-data``."""
    return Path(os.environ.get(DATA) or "cisdl-data")


def scores_folder() -> Path:
    """Return the folder that CISDL_SCORES names, else ``cisdl-scores``."""
    return Path(os.environ.get(SCORES) or "cisdl-scores")


def cache_folder(default: Path) -> Path:
    """Return the folder that CISDL_CACHE names, else a default of the caller's."""
    named = os.environ.get(CACHE)
    return Path(named) if named else default


def find_named(path: Path, folder: Path) -> Path:
    """Return a path, or what a bare name stands for in a folder where there is no such path.

    Another word for a set's difficulty is taken too, such as ``rotation-hard``.

    >>> find_named(Path("no/such"), Path("cisdl-scores"))
    PosixPath('no/such')
    """
    places = [path, folder / path] if len(path.parts) == 1 else [path]
    if str(path).startswith("matcher:"):  # its results have a folder without colon and slash
        places.append(folder / str(path).replace(":", ".").replace("/", "."))
    named = [place for place in places if place.name]
    if not named:
        return path  # this folder, or the root
    for place in (*named, *(place.with_name(set_name(place.name)) for place in named)):
        if place.exists():
            return place
    return path
