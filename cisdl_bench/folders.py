"""Where things lie that no option names: environment variables, else folders of the working one."""

import os
from pathlib import Path

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

    >>> find_named(Path("no/such"), Path("cisdl-scores"))
    PosixPath('no/such')
    """
    inside = folder / path
    return inside if len(path.parts) == 1 and not path.exists() and inside.exists() else path
