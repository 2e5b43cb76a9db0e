"""Lists that are a table of files: anyone's pairs as a CSV, and formats that differ in names alone.

::

    pairs.csv             probe,donor[,label,probe_mask,donor_mask]
    pictures/a.jpg        paths are relative to the CSV, or to --images
    masks/a-probe.png     white is tampered; of the size of its picture

``label`` is 1 where the two share a region, 0 where they do not, and empty where it is not known.
A pair with a mask and no label is positive. A format's file may name other columns, see
``formats.ListFormat``.
"""

from pathlib import Path

from cisdl_bench.adapters.formats import ListFormat
from cisdl_bench.adapters.listed import ListedPair, PairList, parse_label
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.table import read_table
from cisdl_bench.records import UNLABELLED


def read_table_list(path: Path, options: ListOptions, form: ListFormat) -> PairList:
    """Return the pairs of a table whose format names its columns.

    Raises:
        SourceError: It cannot be read, or a row is wrong.
    """
    root = options.images or path.parent
    optional = (form.label, form.probe_mask, form.donor_mask)
    required = tuple(dict.fromkeys((*form.columns, form.probe, form.donor)))
    pairs = []
    for index, row in enumerate(read_table(path, required, optional)):
        probe, donor, probe_mask, donor_mask = (
            root / name if (name := row.get(column)) else None
            for column in (form.probe, form.donor, form.probe_mask, form.donor_mask)
        )
        label = parse_label(row.get(form.label, ""), f"{path}: pair {index}")
        if label == UNLABELLED and (probe_mask or donor_mask):
            label = 1
        names = row[form.probe], row[form.donor]
        pairs.append(ListedPair(index, *names, probe, donor, label, probe_mask, donor_mask))
    return PairList(form.name, path.stem, path, tuple(pairs), masks=form.masks, canvas=form.canvas)
