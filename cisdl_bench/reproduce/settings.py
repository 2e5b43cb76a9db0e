"""What decides the numbers of a reproduction; a folder holds one choice of it."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from cisdl_bench.errors import RunError
from cisdl_bench.store.atomic import read_json, write_json

SETTINGS = "settings.json"
FORMAT = "cisdl-bench reproduction"
#: Settings that a command need not have; None agrees with any.
_OPTIONAL = ("init", "photographs")
#: Word for --init that asks for He initialisation.
HE = "he"


@dataclass(frozen=True)
class Choices:
    """What a user chooses beside the target.

    Attributes:
        coco: COCO folder; None takes the one that ``CISDL_COCO`` names, else built-in pictures.
        pairs: Number of pairs of each test set; None takes the spec's. Training is scaled with it.
        training_pairs: Number of pairs of the training set; None takes the spec's, scaled.
        seed: Seed of sets and training.
        init: File or folder of VGG-16's convolutions, ``he`` for He initialisation, or None.
        models: Files to score instead of training, by the name of a row, experiment or model.
        data: List of pairs that cannot be generated, or the folder that holds it.
        images: Folder of the list's pictures; None is where the format has them.
        device: Torch device, such as ``cuda:0``.
        precision: Precision of training and scoring, ``fp32`` or ``bf16``.
        compile: Whether networks are compiled.
        jobs: Number of worker processes.
    """

    coco: Path | None = None
    pairs: int | None = None
    training_pairs: int | None = None
    seed: int = 0
    init: str | None = None
    models: dict[str, Path] = field(default_factory=dict)
    data: Path | None = None
    images: Path | None = None
    device: str = "cpu"
    precision: str = "fp32"
    compile: bool = False
    jobs: int = 1


class _Stored(TypedDict):
    """What ``settings.json`` holds."""

    format: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What all targets in one folder share.

    Attributes:
        pairs: Number of pairs of each test set; None is the spec's.
        training_pairs: Number of pairs of the training set; None is the spec's.
        seed: Seed of sets and training.
        photographs: Key of the source of the test sets' photographs; None where no set is made.
        precision: Precision of training and scoring.
        init: Identity of the initial weights, or ``he``; None where the user did not say.
    """

    pairs: int | None
    training_pairs: int | None
    seed: int
    photographs: str | None
    precision: str
    init: str | None


def check_settings(out: Path, settings: Settings) -> None:
    """Refuse a folder that holds a reproduction of other settings.

    Raises:
        RunError: It does; one setting that differs is named.
        StoreError: What it holds cannot be read.
    """
    path = out / SETTINGS
    if not path.exists():
        return
    was = _read(path)
    for name, value in asdict(settings).items():
        agrees = was.get(name) == value or (name in _OPTIONAL and None in (was.get(name), value))
        if not agrees:
            raise RunError.expected(
                out,
                f"the reproduction of this command ({name}: {value})",
                f"another one ({name}: {was.get(name)})",
                "Choose another --out, or repeat its options",
            )


def keep_settings(out: Path, settings: Settings) -> None:
    """Write down the settings of a folder; what the user did not say stays as it was.

    Raises:
        StoreError: The folder cannot be written.
    """
    path = out / SETTINGS
    was = _read(path) if path.exists() else {}
    now = {
        name: was.get(name) if value is None else value for name, value in asdict(settings).items()
    }
    if was != now:
        write_json(path, {"format": FORMAT, "settings": now})


def _read(path: Path) -> dict[str, Any]:
    then = "Choose another --out, or remove this file"
    stored: _Stored = read_json(path, "the settings of a reproduction", _Stored, then)
    if stored["format"] != FORMAT:
        raise RunError.expected(path, f"the format {FORMAT!r}", repr(stored["format"]), then)
    return stored["settings"]
