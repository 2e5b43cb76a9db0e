"""Set descriptions: TOML in ``data_specs`` or a user's own file, read into frozen records."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from cisdl_bench.errors import SpecError
from cisdl_bench.records import DIFFICULTIES, KINDS
from cisdl_bench.validation import only, record_values, require

TRANSFORMATIONS = ("shift", "rotation", "scale", "luminance", "deformation")
HARD = {"hard": "difficult"}
_MOST = {
    "pairs": 10**9,
    "traversals": 10**6,
    "visits": 1000,
    "max_tries": 10**6,
    "version": 10**6,
}
#: Ends of what a transformation may be: shifts in px of a 256 px canvas, degrees, factors, levels.
LIMITS: dict[str, tuple[float, float]] = {
    "shift": (-256, 256),
    "rotation": (-180, 180),
    "scale": (1 / 64, 64),
    "luminance": (-255, 255),
    "deformation": (1 / 64, 64),
}


@dataclass(frozen=True)
class Transformation:
    """How one parameter is drawn: uniform between ``low`` and ``high``, both included.

    Attributes:
        probability: Share of composites that it is applied to.
        low: The smallest value.
        high: The largest value.
        step: Distance of neighbouring values; 0 is continuous.
        reciprocal: Share of the draws that are replaced by one over them.
        axis: Of the deformation: ``width``, or ``either`` for width or height, one half each.
        inverse_height: Of the deformation: the height's factor is one over a number uniform
            between 1 / ``high`` and 1 / ``low``, as the release draws it.
    """

    probability: float
    low: float
    high: float
    step: float = 0.0
    reciprocal: float = 0.0
    axis: str = "width"
    inverse_height: bool = False


@dataclass(frozen=True)
class SetSpec:
    """One set as its TOML file says it; the files' comments explain each key.

    Attributes:
        areas: Class to its ends, shares of the canvas, for each of ``DIFFICULTIES``.
        closed: Which end belongs to a class, ``above`` or ``below``; see ``draw.class_of``.
        jpeg_quality: Of every picture, donors, backgrounds and composites; None: not saved so.
        transformations: One for each of ``TRANSFORMATIONS``.
    """

    name: str
    variant: str
    version: int
    title: str
    source: str
    split: str
    size: int
    resize: str
    pairs: int
    kinds: tuple[str, ...]
    by_difficulty: bool
    traversals: int
    visits: int
    max_tries: int
    areas: dict[str, tuple[float, float]]
    transformations: dict[str, Transformation]
    closed: str = "above"
    jpeg_quality: int | None = None

    @property
    def difficulties(self) -> tuple[str, ...]:
        """The sets it makes: one a class, or one set of all classes, named ``all``."""
        return DIFFICULTIES if self.by_difficulty else ("all",)

    @property
    def full_name(self) -> str:
        """The name it is known by: its own in the paper's variant, else ``variant/name``."""
        return self.name if self.variant == "paper" else f"{self.variant}/{self.name}"

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
        """The hash of its meaning: the title, source and comments do not count."""
        table = {k: v for k, v in self.as_dict().items() if k not in ("title", "source")}
        return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def spec_names() -> list[str]:
    """Return the names of the specs that come with the package.

    >>> spec_names()[:3]
    ['training', 'combination', 'raw']
    """
    order = ("training", "combination", "raw", *TRANSFORMATIONS)
    root = files("cisdl_bench.data_specs") / "sets"
    found = [
        (variant, entry.name.removesuffix(".toml"))
        for variant in ("paper", "release")
        for entry in (root / variant).iterdir()
        if entry.name.endswith(".toml")
    ]
    found.sort(key=lambda item: (item[0], order.index(item[1])))
    return [name if variant == "paper" else f"{variant}/{name}" for variant, name in found]


def spec_text(name: str) -> str:
    """Return the TOML of a spec that comes with the package, or of a user's file.

    Raises:
        SpecError: There is no such name or file, or it cannot be read.
    """
    known = spec_names()
    if name in known:
        path = name if "/" in name else f"paper/{name}"
        return (files("cisdl_bench.data_specs") / "sets" / f"{path}.toml").read_text("utf-8")
    if not name.endswith(".toml"):
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else "Choose one of those that `specs` lists."
        raise SpecError(
            f"--set {name}: expected the name of a set or a .toml file, got neither. {hint}"
        )
    try:
        return Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError.expected(
            name, "a readable TOML file", error, "Give the path of your spec"
        ) from error


def load_spec(name: str) -> SetSpec:
    """Return the spec of a name such as ``rotation`` or ``release/rotation``, or of a file.

    Raises:
        SpecError: Unknown name, broken TOML, an unknown or missing key, or a wrong value.

    >>> load_spec("rotation").transformations["rotation"].high
    30.0
    """
    text = spec_text(name)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError.expected(name, "valid TOML", error, "Correct that line") from error
    return parse_spec(table, name)


def parse_spec(table: Mapping[str, Any], where: str) -> SetSpec:
    """Return the spec that a table says, checked key by key.

    Raises:
        SpecError: As ``load_spec``.
    """
    values = record_values(table, SetSpec, where)
    values["kinds"] = tuple(values["kinds"])
    require(
        bool(values["kinds"]) and set(values["kinds"]) <= set(KINDS),
        f"{where}: kinds",
        f"a list out of {', '.join(KINDS)}",
        list(values["kinds"]),
    )
    values["areas"] = {
        name: _range(values["areas"].get(name), f"{where}: areas.{name}") for name in DIFFICULTIES
    }
    only(table["areas"], DIFFICULTIES, f"{where}: areas")
    only(table["transformations"], TRANSFORMATIONS, f"{where}: transformations")
    values["transformations"] = {
        name: _transformation(table["transformations"].get(name), f"{where}: {name}")
        for name in TRANSFORMATIONS
    }
    spec = SetSpec(**values)
    _check_values(spec, where)
    return spec


def _check_values(spec: SetSpec, where: str) -> None:
    for name in ("name", "variant"):
        value = getattr(spec, name)
        ok = re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", value) is not None
        require(ok, f"{where}: {name}", "lower-case letters, digits and -", repr(value))
    require(spec.resize in ("bicubic", "area"), f"{where}: resize", "bicubic or area", spec.resize)
    require(32 <= spec.size <= 4096, f"{where}: size", "32 to 4096 px", spec.size)
    for name, most in _MOST.items():
        value = getattr(spec, name)
        require(1 <= value <= most, f"{where}: {name}", f"1 to {most:,}", value)
    quality = spec.jpeg_quality
    require(quality is None or 1 <= quality <= 100, f"{where}: jpeg_quality", "1 to 100", quality)
    require(spec.closed in ("above", "below"), f"{where}: closed", "above or below", spec.closed)
    for name, (lowest, highest) in LIMITS.items():
        drawn = spec.transformations[name]
        for end in ("low", "high"):
            value = getattr(drawn, end)
            wanted = f"{lowest:g} to {highest:g}"
            require(lowest <= value <= highest, f"{where}: {name}.{end}", wanted, value)
        span = drawn.high - drawn.low
        require(
            drawn.step <= max(span, 0), f"{where}: {name}.step", f"at most {span:g}", drawn.step
        )


def _transformation(table: object, where: str) -> Transformation:
    require(isinstance(table, dict), where, "a table with probability, low and high", table)
    assert isinstance(table, dict)
    values = record_values(table, Transformation, where)
    drawn = Transformation(**values)
    for name in ("probability", "reciprocal"):
        value = getattr(drawn, name)
        require(0 <= value <= 1, f"{where}.{name}", "0 to 1", value)
    require(drawn.low <= drawn.high, f"{where}.low", f"at most high ({drawn.high})", drawn.low)
    require(drawn.step >= 0, f"{where}.step", "0 or more", drawn.step)
    require(drawn.axis in ("width", "either"), f"{where}.axis", "width or either", drawn.axis)
    return drawn


def _range(value: object, where: str) -> tuple[float, float]:
    ok = isinstance(value, list) and len(value) == 2 and all(type(v) in (int, float) for v in value)
    require(ok and 0 <= value[0] < value[1] <= 1, where, "two rising shares of 0 to 1", value)  # type: ignore[index]
    assert isinstance(value, list)
    return float(value[0]), float(value[1])


def difficulty_of(word: str) -> str:
    """Return the difficulty that a word of the command line means.

    Raises:
        SpecError: It means none.

    >>> difficulty_of("hard")
    'difficult'
    """
    name = HARD.get(word, word)
    only({name: None}, (*DIFFICULTIES, *HARD, "all"), "--difficulty")
    return name
