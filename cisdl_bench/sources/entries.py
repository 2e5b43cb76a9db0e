"""The pictures and annotations of a COCO instances file, collected as they stream past."""

from array import array
from pathlib import Path
from typing import Any

from cisdl_bench.errors import SourceError
from cisdl_bench.sources.segmentation import NOT_FILLED, read_polygons, read_run_lengths, whole

OTHER_SIZE = "RLE of another size than its picture"
_MOST_PIXELS = 1 << 28  # of a picture: above, run lengths would be drawn into gigabytes


class Entries:
    """A file's entries in flat arrays, a few bytes a number.

    Args:
        path: Instances JSON that an error names.

    Attributes:
        pictures: Width, height, group and file name by picture id.
        ambiguous: Ids that several pictures have.
        renumbered: Whether annotations are numbered by their place, as their ids occur twice.
        skipped: ``picture`` or ``annotation``, id and reason of what cannot be used.
        ids: Ids of the annotations.
        owners: Picture id of each annotation.
        categories: Category id of each annotation, -1 where it has none.
        is_rle: Whether each annotation is run lengths, not polygons.
        rle_area: Area in px of each annotation of run lengths.
        part_counts: Number of parts of each annotation.
        part_lengths: Number of numbers of each part.
        numbers: Coordinates or run lengths of all parts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pictures: dict[int, tuple[int, int, int, str]] = {}
        self.ambiguous: set[int] = set()
        self.renumbered = False
        self.unfilled: list[tuple[int, int, tuple[int, int]]] = []
        self.skipped: list[tuple[str, int, str]] = []
        self.ids, self.owners, self.is_rle = array("q"), array("q"), array("b")
        self.categories = array("q")
        self.rle_area = array("d")
        self.part_counts, self.part_lengths, self.numbers = array("q"), array("q"), array("d")

    def picture(self, entry: Any) -> None:
        """Take an entry of ``images``.

        Raises:
            SourceError: It has not the keys of one.
        """
        try:
            values = [entry[name] for name in ("id", "width", "height", "file_name")]
            values.insert(3, entry.get("group", values[0]))
        except (TypeError, KeyError, AttributeError) as error:
            raise self._unlike("images", "id, width, height and file_name", entry) from error
        key, width, height, group = (whole(value) for value in values[:4])
        name = values[4]
        if key is None or group is None:
            self.skipped.append(("picture", -1 if key is None else key, "id is no whole number"))
        elif not width or not height or min(width, height) < 1:
            self.skipped.append(("picture", key, "no size"))
        elif width * height > _MOST_PIXELS:
            self.skipped.append(("picture", key, f"more than {_MOST_PIXELS:,} pixels"))
        elif not isinstance(name, str) or not _is_file_name(name):
            self.skipped.append(("picture", key, "file name cannot be used"))
        elif self.pictures.setdefault(key, (width, height, group, name)) != (
            width,
            height,
            group,
            name,
        ):
            self.skipped.append(("picture", key, "id occurs twice"))
            self.ambiguous.add(key)

    def annotation(self, entry: Any) -> None:
        """Take an entry of ``annotations``.

        Raises:
            SourceError: It has not the keys of one.
        """
        try:
            values = entry["id"], entry["image_id"]
            shape, category = entry["segmentation"], whole(entry.get("category_id"))
        except (TypeError, KeyError, AttributeError) as error:
            raise self._unlike("annotations", "id, image_id, segmentation", entry) from error
        key, owner = map(whole, values)
        if key is None or owner is None:
            where = -1 if key is None else key
            self.skipped.append(("annotation", where, "id is no whole number"))
            return
        is_rle = isinstance(shape, dict)
        before = len(self.numbers)
        try:
            parts, reason = read_run_lengths(shape) if is_rle else read_polygons(shape)
            for part in parts:
                self.numbers.extend(part)
        except (TypeError, ValueError, KeyError, OverflowError):
            del self.numbers[before:]
            parts, reason = [], "segmentation is neither polygons nor RLE"
        if reason == NOT_FILLED:
            width, height = map(whole, reversed(shape["size"]))
            self.unfilled.append((len(self.skipped), owner, (width or 0, height or 0)))
        if reason:
            self.skipped.append(("annotation", key, reason))
            return
        self.ids.append(key)
        self.owners.append(owner)
        self.categories.append(-1 if category is None else category)
        self.is_rle.append(is_rle)
        self.part_counts.append(len(parts))
        self.part_lengths.extend(map(len, parts))
        if is_rle:
            self.rle_area.append(sum(parts[0][3::2]))

    def settle(self) -> None:
        """Decide what could not be before the whole file was seen."""
        for at, owner, size in self.unfilled:
            picture = self.pictures.get(owner)
            if picture and picture[:2] != size:
                self.skipped[at] = (*self.skipped[at][:2], OTHER_SIZE)
        for key in self.ambiguous:
            del self.pictures[key]
        if len(set(self.ids)) < len(self.ids):
            self.ids, self.renumbered = array("q", range(1, len(self.ids) + 1)), True

    def _unlike(self, where: str, keys: str, entry: Any) -> SourceError:
        got = str(entry)[:80]
        then = "Use a file of COCO's instances layout, not captions or keypoints"
        return SourceError(f"{self.path}: {where}: expected {keys}, got {got}. {then}.")


def _is_file_name(name: str) -> bool:
    try:
        return bool(name) and "\0" not in name and bool(name.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
