"""What can be scored: methods, networks of the package, published ones, those trained here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cisdl_bench.models.classical.registry import PAIR_DETECTORS
from cisdl_bench.models.find import SHIPPED, find_ready, shipped_path
from cisdl_bench.models.matchers.registry import PREFIX, run_name
from cisdl_bench.packaged import packaged_toml


@dataclass(frozen=True)
class Model:
    """One entry of the list.

    Attributes:
        name: Name or file to give to ``score``.
        kind: ``method``, ``matcher``, ``shipped``, ``published`` or ``trained``.
        title: Description, a line.
        source: Paper or program that it comes from.
        licence: Terms of its weights; empty where nothing is known, or there are none.
        size: Size of its weights in bytes; None where there are none, or they are not here.
        get: Command or address that gets what is missing; empty where nothing is.
    """

    name: str
    kind: str
    title: str
    source: str
    licence: str
    size: int | None
    get: str

    @property
    def run(self) -> str:
        """Name that its results are filed under."""
        return run_name(self.name) if self.kind == "matcher" else Path(self.name).stem


def list_models(training: Path) -> list[Model]:
    """Return what can be scored, what is ready first.

    Args:
        training: Folder of the training runs, such as ``cisdl-training``.
    """
    table = packaged_toml("models.toml")
    ready = find_ready()
    models = [
        _read(name, "method", table["methods"].get(name, {}), licence="MIT")
        for name in PAIR_DETECTORS
    ]
    models += [
        _read(f"{PREFIX}{name}", "matcher", entry) for name, entry in table["matchers"].items()
    ]
    for name in SHIPPED:
        entry = {**table["shipped"].get(name, {})}
        if name in ready:
            entry["get"] = ""
        models.append(_read(name, "shipped", entry, size=shipped_path(name).stat().st_size))
    models += list(_find_trained(training))
    models += [_read(name, "published", entry) for name, entry in table["published"].items()]
    return models


def _read(
    name: str, kind: str, entry: dict[str, Any], *, licence: str = "", size: int | None = None
) -> Model:
    return Model(
        name,
        kind,
        entry.get("title", ""),
        entry.get("source", ""),
        entry.get("licence", licence),
        size,
        entry.get("get", ""),
    )


def _find_trained(folder: Path) -> Iterator[Model]:
    for path in sorted(folder.glob("*/*.pt")):
        size = path.stat().st_size
        yield Model(str(path), "trained", "", f"cisdl-bench train {path.stem}", "", size, "")
