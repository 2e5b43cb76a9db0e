"""Which source a command means: the COCO folder that is given, else the built-in pictures."""

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from cisdl_bench.folders import cache_folder
from cisdl_bench.progress import Progress
from cisdl_bench.sources.coco import CocoSource, open_coco
from cisdl_bench.sources.demo import write_demo

ENVIRONMENT = "CISDL_COCO"


def find_source(given: Path | None, split: str, out: Path) -> CocoSource:
    """Return a split of the folder given, else of the one CISDL_COCO names, else built in.

    A folder that is named but cannot be used is an error, never a reason to take another.

    Args:
        given: Folder given by ``--coco``; None where the option is absent.
        split: ``train`` or ``val``.
        out: Folder of the data sets; the array index and the built-in pictures are kept there,
            or in the folder that CISDL_CACHE names.

    Raises:
        SourceError: As ``open_coco`` and ``write_demo``.
    """
    named, cache = os.environ.get(ENVIRONMENT), cache_folder(out)
    root = given or (Path(named) if named else None) or write_demo(cache)
    return open_coco(root, split, cache / "index")


def split_opener(given: Path | None, out: Path, progress: Progress) -> Callable[[str], CocoSource]:
    """Return a function that opens a split once, as ``find_source`` does, and says its notes."""

    @lru_cache(maxsize=2)
    def open_split(split: str) -> CocoSource:
        source = find_source(given, split, out)
        for note in source.notes:
            progress.say(f"note: {note}")
        return source

    return open_split
