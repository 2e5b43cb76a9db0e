"""Anyone's pairs, as a CSV.

::

    pairs.csv             probe,donor[,label,probe_mask,donor_mask]
    pictures/a.jpg        paths are relative to the CSV, or to --images
    masks/a-probe.png     white is tampered; of the size of its picture

``label`` is 1 where the two share a region, 0 where they do not, empty where nobody knows. A pair
with a mask and no label is positive.
"""

from pathlib import Path

from cisdl_bench.adapters.listed import ListedPair, PairList, label_of
from cisdl_bench.adapters.table import read_table
from cisdl_bench.records import UNLABELLED

COLUMNS = ("probe", "donor")
MASKS = ("probe_mask", "donor_mask")


def read_plain(path: Path, images: Path | None = None) -> PairList:
    """Return the pairs of a CSV.

    Args:
        path: The CSV.
        images: What its paths are relative to; None is the CSV's folder.

    Raises:
        SourceError: It cannot be read, or a row is wrong.
    """
    root = images or path.parent
    pairs = []
    for index, row in enumerate(read_table(path, COLUMNS, ("label", *MASKS))):
        probe, donor, probe_mask, donor_mask = (
            root / name if (name := row.get(column)) else None for column in (*COLUMNS, *MASKS)
        )
        label = label_of(row.get("label", ""), f"{path}: pair {index}")
        if label == UNLABELLED and (probe_mask or donor_mask):
            label = 1
        names = row["probe"], row["donor"]
        pairs.append(ListedPair(index, *names, probe, donor, label, probe_mask, donor_mask))
    return PairList("plain", path.stem, path, tuple(pairs))
