"""Set descriptions: TOML in ``data_specs/sets`` or a user's own file, read into frozen records."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from msgspec import Meta

from cisdl_bench.errors import SpecError
from cisdl_bench.packaged import packaged_names, packaged_text, packaged_toml
from cisdl_bench.records import DIFFICULTIES, DIFFICULTY_WORDS, difficulty_of
from cisdl_bench.transforms.base import Parameter, Transformation
from cisdl_bench.transforms.registry import TRANSFORMATIONS
from cisdl_bench.validation import as_record, decode_toml, read_text, refuse_unknown, require

_NAME = r"[a-z0-9][a-z0-9_.-]*"
_PAPER = "paper"
_LARGEST_ID = float(2**53)  # that float64 holds exactly
_PASTED = ("donor", "annotation")
#: Keys that specs did not have at first, with the values that change nothing.
_LATER = {"backgrounds": "any", "further": None}

Kind = Literal["foreground", "background", "negative"]
Kinds = Annotated[
    tuple[Kind, ...],
    Meta(min_length=1, description="a list out of foreground, background, negative"),
]


@dataclass(frozen=True)
class Further:
    """Regions pasted beside the first, none of which overlaps another.

    Attributes:
        count: Number of further regions.
        donor: ``same`` pastes other instances of the donor, which belong to the true masks;
            ``other`` those of other pictures, which do not.
    """

    count: Annotated[int, Meta(ge=1, le=8)]
    donor: Literal["same", "other"]


@dataclass(frozen=True)
class SetSpec:
    """One set as its TOML file says it; the files' comments explain each key.

    Attributes:
        variant: Family that the name stands in, such as ``release``; empty or ``paper``: none.
        pairs: Number of pairs, of each difficulty where those are sets of their own.
        areas: Class to its ends, shares of the canvas, for each of ``DIFFICULTIES``.
        transformations: Transformations of regions by name, in the order of application.
        closed: End that belongs to a class, ``above`` or ``below``; see ``draw.area_class``.
        jpeg_quality: Quality in which every picture is saved, donors, backgrounds and composites;
            None: pictures are not saved as JPEG.
        place: Position in lists of sets.
        backgrounds: Pictures that regions are pasted into: ``any``, or those of the ``same
            category``, which show an instance of the region's category.
        further: Regions beside the first; None: there are none.
    """

    name: str
    version: Annotated[int, Meta(ge=1, le=10**6)]
    title: str
    source: str
    split: str
    size: Annotated[int, Meta(ge=32, le=4096, description="32 to 4096 px")]
    resize: Literal["bicubic", "area"]
    pairs: Annotated[int, Meta(ge=1, le=10**9)]
    kinds: Kinds
    by_difficulty: bool
    traversals: Annotated[int, Meta(ge=1, le=10**6)]
    visits: Annotated[int, Meta(ge=1, le=1000)]
    max_tries: Annotated[int, Meta(ge=1, le=10**6)]
    areas: dict[str, Any]
    transformations: dict[str, Any]
    variant: str = ""
    closed: Literal["above", "below"] = "above"
    jpeg_quality: Annotated[int, Meta(ge=1, le=100)] | None = None
    place: int = 1000
    backgrounds: Literal["any", "same category"] = "any"
    further: Further | None = None

    @property
    def difficulties(self) -> tuple[str, ...]:
        """The sets it makes: one a class, or one set of all classes, named ``all``."""
        return DIFFICULTIES if self.by_difficulty else ("all",)

    @property
    def full_name(self) -> str:
        """The name it is known by: its own, after its variant's where that is not the paper."""
        return self.name if self.variant in ("", _PAPER) else f"{self.variant}/{self.name}"

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters of its regions by their column's name, in order.

        Those of a further region have its number, from 2 on, behind their names, after the ids
        of its picture and instance.
        """
        own = [each for kind in self.transformations.values() for each in kind.parameters]
        columns = [*own]
        for number in range(2, 2 + (self.further.count if self.further else 0)):
            ids = [Parameter(f"{name}_id", 0.0, -_LARGEST_ID, _LARGEST_ID) for name in _PASTED]
            columns += [each._replace(name=f"{each.name}_{number}") for each in (*ids, *own)]
        return {each.name: each for each in columns}

    @property
    def own_parameter_count(self) -> int:
        """The number of parameters of one region's transformations."""
        return sum(len(kind.parameters) for kind in self.transformations.values())

    def further_range(self, difficulty: str) -> tuple[float, float]:
        """Return the shares of the canvas that a further region may have.

        From the least of all classes to the most of those that the set takes.

        Args:
            difficulty: Difficulty of the set.
        """
        highest = max(high for _, high in self.classes(difficulty).values())
        return min(low for low, _ in self.areas.values()), highest

    def folder(self, difficulty: str) -> str:
        """Return the folder of one of its sets, such as ``rotation-difficult``."""
        stem = self.full_name.replace("/", "-")
        return f"{stem}-{difficulty}" if self.by_difficulty else stem

    def classes(self, difficulty: str) -> dict[str, tuple[float, float]]:
        """Return the area classes that a set of this difficulty takes."""
        return {difficulty: self.areas[difficulty]} if self.by_difficulty else dict(self.areas)

    def as_dict(self) -> dict[str, Any]:
        """Return the spec as JSON-ready values."""
        table: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return table

    @property
    def sha256(self) -> str:
        """The hash of its meaning: the title, source, place and comments do not count."""
        left_out = ("title", "source", "place")
        table = {key: value for key, value in self.as_dict().items() if key not in left_out}
        for key, unchanged in _LATER.items():  # so that earlier sets keep their hash
            if table[key] == unchanged:
                del table[key]
        table["order"] = [(name, kind.version) for name, kind in self.transformations.items()]
        return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def spec_names() -> list[str]:
    """Return the names of the specs that come with the package, in the order of lists.

    >>> spec_names()[:3]
    ['training', 'combination', 'raw']
    """
    files = {name: packaged_toml(f"sets/{name}.toml") for name in packaged_names("sets")}
    in_order = sorted(files, key=lambda name: (files[name].get("place", 1000), name))
    return [name.removeprefix(f"{_PAPER}/") for name in in_order]


def paper_test_sets() -> list[str]:
    """Return the names of the paper's test sets, what ``--set all`` means.

    >>> len(paper_test_sets())
    7
    """
    specs = [load_spec(name) for name in spec_names()]
    return [spec.name for spec in specs if spec.variant == _PAPER and spec.by_difficulty]


def spec_text(name: str) -> str:
    """Return the TOML of a spec that comes with the package, or of a user's file.

    Raises:
        SpecError: There is no such name or file, or it cannot be read.
    """
    known = spec_names()
    if name in known:
        files = packaged_names("sets")
        return packaged_text(f"sets/{name if name in files else f'{_PAPER}/{name}'}.toml")
    if name.endswith(".toml"):
        return read_text(name, "spec")
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else "Choose one of those that `specs` lists."
    raise SpecError(
        f"--set {name}: expected the name of a set or a .toml file, got neither. {hint}"
    )


def load_spec(name: str) -> SetSpec:
    """Return the spec of a name such as ``rotation`` or ``release/rotation``, or of a file.

    Raises:
        SpecError: Unknown name, broken TOML, an unknown or missing key, or a wrong value.

    >>> load_spec("rotation").transformations["rotation"].high
    30.0
    """
    spec = parse_spec(decode_toml(spec_text(name), name), name)
    if name in spec_names() and spec.full_name != name:
        raise SpecError.expected(
            f"data_specs/sets: {name}.toml: name",
            f"the file's own, {name} (the folder is the variant)",
            spec.full_name,
            "Rename one of them",
        )
    return spec


def parse_spec(table: Mapping[str, Any], where: str) -> SetSpec:
    """Return the spec that a table says, checked key by key.

    Args:
        table: Content of the TOML file.
        where: File that an error names.

    Raises:
        SpecError: As ``load_spec``.
    """
    spec = as_record(table, SetSpec, where)
    for name in (spec.name, *filter(None, [spec.variant])):
        ok = re.fullmatch(_NAME, name) is not None
        require(ok, f"{where}: name", "lower-case letters, digits and -", repr(name))
    refuse_unknown(spec.areas, dict.fromkeys(DIFFICULTIES), f"{where}: areas")
    areas = {
        name: _area_class(spec.areas.get(name), f"{where}: areas.{name}") for name in DIFFICULTIES
    }
    refuse_unknown(spec.transformations, TRANSFORMATIONS, f"{where}: transformations")
    transformations = {
        name: _transformation(name, settings, f"{where}: {name}")
        for name, settings in spec.transformations.items()
    }
    if spec.further and spec.further.donor == "other":
        ok = "background" not in spec.kinds
        then = "no background pairs: the further regions are not of the background"
        require(ok, f"{where}: kinds", then, "background")
    return replace(spec, areas=areas, transformations=transformations)


def name_clash(spec: SetSpec, given: str) -> str:
    """Return what a user must know of a file that has a packaged set's name and another content.

    Args:
        spec: The spec of the file.
        given: Name or file that the user named.

    >>> name_clash(load_spec("rotation"), "rotation")
    ''
    """
    known = spec_names()
    if given in known or spec.full_name not in known:
        return ""
    if load_spec(spec.full_name).sha256 == spec.sha256:
        return ""
    return (
        f"{given}: has the name of the packaged set {spec.full_name} and another content; tables "
        "show it under that name: change `name`"
    )


def _transformation(name: str, settings: object, where: str) -> Transformation:
    transformation = as_record(settings, TRANSFORMATIONS[name], where)
    transformation.check(where)
    return transformation


def _area_class(value: object, where: str) -> tuple[float, float]:
    ok = isinstance(value, list) and len(value) == 2 and all(type(v) in (int, float) for v in value)
    require(ok and 0 <= value[0] < value[1] <= 1, where, "two rising shares of 0 to 1", value)  # type: ignore[index]
    assert isinstance(value, list)
    return float(value[0]), float(value[1])


def parse_difficulty(word: str) -> str:
    """Return the difficulty that a word of the command line means.

    Raises:
        SpecError: It means none.

    >>> parse_difficulty("hard")
    'difficult'
    """
    word = word.lower()
    known = dict.fromkeys((*DIFFICULTIES, *DIFFICULTY_WORDS, "all"))
    refuse_unknown({word: None}, known, "--difficulty")
    return difficulty_of(word) or word
