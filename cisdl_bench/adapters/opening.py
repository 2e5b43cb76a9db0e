"""Opening a list: a look at all of its files, and which of its pairs can be used."""

from pathlib import Path

from cisdl_bench.adapters.files import fingerprint_list, hash_files
from cisdl_bench.adapters.find import read_list
from cisdl_bench.adapters.formats import list_formats
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.pairs import ListedPairs
from cisdl_bench.adapters.usable import (
    find_contradictions,
    find_unknown_masks,
    find_unnamed_pairs,
    find_unusable_pairs,
)
from cisdl_bench.by_name import load_by_name
from cisdl_bench.errors import SourceError
from cisdl_bench.progress import Progress


def open_list(path: Path, options: ListOptions, progress: Progress) -> ListedPairs:
    """Return a list's pairs, after a look at all of its files.

    With ``skip_unusable`` pairs are left out that have a missing file, a picture or a mask that
    cannot be read, a mask of another size, or a label that contradicts another; all files are
    decoded for that. Without it a missing file and a contradiction are refused, but for pictures of
    lists that are partial by nature, such as paired CASIA's. Without ``pictures`` a pair whose true
    mask cannot be used stays, and that mask is unknown.

    Args:
        path: File of the list.
        options: Choices of the user about lists.
        progress: Receives progress updates and messages.

    Raises:
        SourceError: The list cannot be read, a file is missing, or no pair is left.
    """
    path, options = path.absolute(), options.absolute()
    listed = read_list(path, options)
    if not listed.pairs:
        raise SourceError(f"{path}: there are no pairs. Write the rows, or complete the folder.")
    files = list(dict.fromkeys(file for pair in listed.pairs for file in pair.files))
    progress.start("files", len(files))
    digests = hash_files(files, progress.advance)
    progress.stop()
    missing = {file: f"{file}: no such file" for file in files if digests[file] == "missing"}
    if missing and not options.skip_unusable and options.pictures:
        raise SourceError(
            f"{path}: {len(missing):,} of the {len(files):,} files that it names are missing, such "
            f"as {next(iter(missing))}. Restore them, give their folder by --images, or leave "
            "those pairs out with --skip-unusable."
        )
    left_out = find_contradictions(listed)
    if left_out and not options.skip_unusable:
        number, reason = next(iter(left_out.items()))
        raise SourceError(
            f"{path}: pair {number}: {reason}. Correct the row, or leave such pairs out with "
            "--skip-unusable."
        )
    unknown: dict[tuple[int, int], str] = {}
    if options.pictures:
        if options.skip_unusable:
            left_out |= find_unusable_pairs(listed, missing, progress)
        left_out |= find_unnamed_pairs(listed, options.skip_unusable)
    elif options.skip_unusable:
        unknown = find_unknown_masks(listed, missing)
    left_out = dict(sorted(left_out.items()))
    kind = next(form.pairs for form in list_formats() if form.name == listed.format)
    pairs: ListedPairs = load_by_name(kind)(
        path, options, left_out, fingerprint_list(listed, digests), unknown, listed
    )
    if not len(pairs):
        number, reason = next(iter(left_out.items()))
        raise SourceError(
            f"{path}: none of the {len(listed.pairs):,} pairs can be used; pair {number}: "
            f"{reason.rstrip('.')}. Give the folder of their pictures by --images, or correct the "
            "list."
        )
    if left_out:
        progress.say(f"{pairs.name}: {pairs.describe_left_out()}")
    return pairs
