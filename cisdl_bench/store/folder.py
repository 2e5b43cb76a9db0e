"""A folder of sets with the picture stores that they share."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from cisdl_bench.store.atomic import locked
from cisdl_bench.store.pictures import PictureFolder
from cisdl_bench.store.sets import SetFolder


@dataclass(frozen=True)
class DataFolder:
    """What ``--out`` names; see ``layout`` for what is in it."""

    root: Path

    def __post_init__(self) -> None:
        # Workers may have been started elsewhere: what they are sent holds no relative path.
        object.__setattr__(self, "root", self.root.absolute())

    def lock(self) -> AbstractContextManager[None]:
        """Hold the folder for one run; see ``locked``."""
        return locked(self.root)

    def pictures(self, name: str, size: int) -> PictureFolder:
        """Return the picture store of that name."""
        return PictureFolder(self.root / "pictures" / name, size)

    def set(self, name: str) -> SetFolder:
        """Return the folder of a set."""
        return SetFolder(self.root / name)
