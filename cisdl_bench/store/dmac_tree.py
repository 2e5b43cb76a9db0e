"""Names in the training tree that the DMAC authors' generator writes, and the lines of its lists.

::

    DMAC-COCO/train2014/
      train2014resize_512/COCO_train2014_000000000009.jpg     every picture of the set
      combine/COMPOSITE.jpg                                   DONOR_INSTANCE_BACKGROUND_combine
      gt_combine/DONOR_COMPOSITE.png                          mask of the donor
      gt_combine/COMPOSITE_DONOR.png                          mask of the composite
      gt_combine/BACKGROUND_COMPOSITE.png                     both masks of a background pair
      labelfiles/train2014_combine_{fore,back,neg}_{diff,medi,easy}.csv
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cisdl_bench.records import KINDS

HEADER = "image1,image2,label,gt1,gt2"
#: Folders below that of the split, beside the one of the resized pictures.
COMBINE, MASKS, LISTS = "combine", "gt_combine", "labelfiles"
#: Words of the lists' names, by kind and by difficulty.
_KIND_WORDS = dict(zip(KINDS, ("fore", "back", "neg"), strict=True))
_DIFFICULTY_WORDS = ("diff", "medi", "easy")


class CompositeFiles(NamedTuple):
    """Files of a composite, relative to the folder of the split.

    Attributes:
        composite: The composite.
        donor: Mask of the donor.
        probe: Mask of the composite.
        background: Both masks of the background pair.
    """

    composite: str
    donor: str
    probe: str
    background: str


@dataclass(frozen=True)
class TrainingTree:
    """Names of a tree's files, relative to the folder of the split.

    Attributes:
        split: Name of the split and its year, such as ``train2014``.
        size: Side of the pictures in px.
        ending: Ending of the pictures' names, such as ``jpg``.
    """

    split: str
    size: int
    ending: str

    @property
    def folder(self) -> str:
        """Return the folder of the split, relative to the export's."""
        return f"DMAC-COCO/{self.split}"

    @property
    def resized(self) -> str:
        """Return the folder of the resized pictures."""
        return f"{self.split}resize_{self.size}"

    def _stem(self, picture_id: int) -> str:
        return f"COCO_{self.split}_{picture_id:012d}"

    def picture(self, picture_id: int) -> str:
        """Return the file of a resized picture."""
        return f"{self.resized}/{self._stem(picture_id)}.{self.ending}"

    def composite(self, row: Any, repeat: int) -> CompositeFiles:
        """Return the files of a composite.

        Args:
            row: Row of ``composites``.
            repeat: Number of earlier composites of its instance and background.
        """
        donor, background = self._stem(int(row["donor_id"])), self._stem(int(row["background_id"]))
        again = f"_{repeat + 1}" if repeat else ""
        composite = f"{donor}_{row['annotation_id']}_{background}{again}_combine"
        return CompositeFiles(
            f"{COMBINE}/{composite}.{self.ending}",
            f"{MASKS}/{donor}_{composite}.png",
            f"{MASKS}/{composite}_{donor}.png",
            f"{MASKS}/{background}_{composite}.png",
        )

    def lists(self, rows: npt.NDArray[Any]) -> Iterator[tuple[str, Iterator[str]]]:
        """Yield the nine lists: each one's file and its lines.

        Args:
            rows: Rows of ``composites`` of the set.
        """
        repeats = count_repeats(rows)
        for difficulty, word in enumerate(_DIFFICULTY_WORDS):
            places = np.flatnonzero(rows["difficulty"] == difficulty)
            for kind, kind_word in _KIND_WORDS.items():
                name = f"{LISTS}/{self.split}_combine_{kind_word}_{word}.csv"
                yield name, self._lines(rows, repeats, places, kind)

    def _lines(
        self,
        rows: npt.NDArray[Any],
        repeats: npt.NDArray[np.int64],
        places: npt.NDArray[np.int64],
        kind: str,
    ) -> Iterator[str]:
        yield HEADER
        for place in places:
            row = rows[place]
            files = self.composite(row, int(repeats[place]))
            donor, background = (self.picture(int(row[f"{n}_id"])) for n in ("donor", "background"))
            if kind == "negative":
                yield f"{donor},{background},0,null,null"
            elif kind == "background":
                yield f"{background},{files.composite},1,{files.background},{files.background}"
            else:
                yield f"{donor},{files.composite},1,{files.donor},{files.probe}"


def count_repeats(rows: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return how many earlier composites are of the same instance and background, (n,).

    >>> names = ["donor_id", "annotation_id", "background_id"]
    >>> rows = np.zeros(4, dtype=[(name, np.int64) for name in names])
    >>> rows["background_id"] = [5, 6, 5, 5]
    >>> count_repeats(rows).tolist()
    [0, 0, 1, 2]
    """
    keys = np.stack([rows[name] for name in ("donor_id", "annotation_id", "background_id")], axis=1)
    _, key, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(key.ravel(), kind="stable")
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    repeats = np.empty(len(rows), dtype=np.int64)
    repeats[order] = np.arange(len(rows)) - starts
    return repeats
