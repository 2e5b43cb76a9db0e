"""Pairs as MIML and its successors keep them: an authentic picture and a manipulated one.

::

    ANY/0.jpg        authentic: the donor
    ANY/1.jpg        manipulated: the probe
    ANY/1.png        mask of 1.jpg

The mask marks what was changed; the donor's is unknown, not empty.
"""

from pathlib import Path

from cisdl_bench.adapters.formats import ListFormat
from cisdl_bench.adapters.imd2020 import changed_note
from cisdl_bench.adapters.listed import ListedPair, PairList
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.errors import SourceError

_NAMES = ("0.jpg", "1.jpg", "1.png")


def read_miml(path: Path, options: ListOptions, form: ListFormat) -> PairList:
    """Return the pair of each folder that has one of the three files.

    Raises:
        SourceError: A folder has further numbered pictures.
    """
    pairs: list[ListedPair] = []
    for folder in sorted(item for item in path.iterdir() if item.is_dir()):
        files = sorted(file.name for file in folder.iterdir() if file.stem.isdecimal())
        if not set(files) & set(_NAMES):
            continue
        others = [name for name in files if name not in _NAMES]
        if others:
            raise SourceError.expected(
                folder,
                f"{', '.join(_NAMES)} alone",
                f"{others[0]} too",
                "Give each manipulated picture a folder of its own",
            )
        donor, probe, mask = (folder / name for name in _NAMES)
        names = f"{folder.name}/{probe.name}", f"{folder.name}/{donor.name}"
        pairs.append(ListedPair(len(pairs), *names, probe, donor, 1, mask))
    return PairList(
        form.name, form.name, path, tuple(pairs), masks=form.masks, notes=(changed_note(form),)
    )
