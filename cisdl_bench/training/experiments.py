"""Experiments: TOML in ``data_specs/experiments`` or a user's own, read into frozen records."""

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from cisdl_bench.errors import SpecError
from cisdl_bench.validation import record_values, require

STAGES = ("cross-entropy", "adversarial", "detection")
FORMS = ("bce", "hinge")
OPTIMIZERS = ("adadelta", "adam")
#: Largest values that an experiment may ask for; beyond them memory or the numbers give out.
MOST_BATCH, MOST_EPOCHS, MOST_STEPS = 4096, 100_000, 1000
MOST_LEARNING_RATE, MOST_WEIGHT = 100.0, 1000.0
PICTURES = ("bgr-minus-mean", "-1..1")  # models.dmac_det.LEVELS, without importing torch


@dataclass(frozen=True)
class OptimizerSpec:
    """How one network's weights are updated; what is not said is PyTorch's default."""

    name: str
    learning_rate: float
    betas: tuple[float, ...] = ()


@dataclass(frozen=True)
class AdversarialSpec:
    """The second stage (section III-D, Algorithm 2).

    Attributes:
        form: Form of the discriminative loss, one of ``FORMS``.
        lambda_det: Weight of the detection loss, equation (8); 0: there is no Det.
        lambda_dis: Weight of the discriminative loss, equation (8); 0: there is no Dis.
        ground_truth: Whether Det also learns from true masks, equation (12).
        learning_rate: Adam's learning rate for Det and Dis.
        betas: Adam's two betas for Det and Dis.
        steps: k of Algorithm 2, updates of Det and Dis for each update of DMAC.
    """

    form: str
    lambda_det: float
    lambda_dis: float
    ground_truth: bool
    learning_rate: float
    betas: tuple[float, ...]
    steps: int = 1


@dataclass(frozen=True)
class Experiment:
    """One experiment as its TOML file says it; the files' comments explain each key.

    Attributes:
        stage: One of ``STAGES``.
        network: Architecture of the network that is trained.
        start: Experiment whose checkpoint this one starts from; empty for a first stage.
        place: Position in lists of experiments.
        width: Share of VGG-16's channels; the paper's is 1.
        pictures: Levels of the pictures that Det and Dis see, one of ``models.dmac_det.LEVELS``.
        adversarial: Settings of the stage of that name.
    """

    name: str
    version: int
    title: str
    source: str
    stage: str
    network: str
    epochs: int
    batch: int
    flip: float
    swap: float
    optimizer: OptimizerSpec
    start: str = ""
    place: int = 0
    also: tuple[str, ...] = ()
    width: float = 1.0
    pictures: str = PICTURES[0]
    adversarial: AdversarialSpec | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the experiment as JSON-ready values."""
        table: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return table

    @property
    def sha256(self) -> str:
        """The hash of its meaning: names, title and source do not count."""
        left_out = ("name", "also", "title", "source", "place")
        table = {k: v for k, v in self.as_dict().items() if k not in left_out}
        return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()

    @property
    def table_parameters(self) -> dict[str, str]:
        """The columns of Table I that name a row, as the paper prints them; none for DMAC."""
        if not self.start:
            return {}
        of = self.adversarial
        weights = (of.lambda_det, of.lambda_dis) if of else (0.0, 0.0)
        return {
            "lambda_det": f"{weights[0]:g}",
            "lambda_dis": f"{weights[1]:g}",
            "learning_rate": _power(self.optimizer.learning_rate),
        }


def _power(value: float) -> str:
    """Return a learning rate as the paper prints it.

    >>> _power(1e-4), _power(2.5e-5)
    ('1e-4', '2.5e-5')
    """
    mantissa, exponent = f"{value:.6e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


@lru_cache(maxsize=1)
def experiments() -> dict[str, Experiment]:
    """Return the experiments that come with the package by name, in the order of Table I.

    >>> list(experiments())[:4]
    ['dmac', 'dmvn-bn', 'dmac-star', 'adv-bce-0.1-0.1-1e-5']
    """
    root = files("cisdl_bench.data_specs") / "experiments"
    found = [
        parse_experiment(entry.read_text("utf-8"), entry.name)
        for entry in root.iterdir()
        if entry.name.endswith(".toml")
    ]
    return {each.name: each for each in sorted(found, key=lambda each: each.place)}


def load_experiment(name: str) -> Experiment:
    """Return the experiment of a name or another name of it, or of a TOML file.

    Raises:
        SpecError: Unknown name, broken TOML, an unknown or missing key, or a wrong value.

    >>> load_experiment("dmac-adv").adversarial.lambda_dis
    0.01
    """
    known = {also: each for each in experiments().values() for also in (each.name, *each.also)}
    if name in known:
        return known[name]
    if not name.endswith(".toml"):
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else "`cisdl-bench train --list` names them."
        raise SpecError(
            f"{name}: expected the name of an experiment or a .toml file, got neither. {hint}"
        )
    try:
        text = Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError.expected(
            name, "a readable TOML file", error, "Give the path of your experiment"
        ) from error
    return parse_experiment(text, name)


def parse_experiment(text: str, where: str) -> Experiment:
    """Return the experiment that a TOML text says, checked key by key.

    Raises:
        SpecError: As ``load_experiment``.
    """
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpecError.expected(where, "valid TOML", error, "Correct that line") from error
    apart = ("optimizer", "adversarial")
    values: dict[str, Any] = record_values(table, Experiment, where, apart)
    require("optimizer" in table, where, "a table [optimizer]", "none")
    values["also"] = tuple(values.get("also", ()))
    values["optimizer"] = _record(OptimizerSpec, table["optimizer"], f"{where}: optimizer")
    if "adversarial" in table:
        inner = table["adversarial"]
        values["adversarial"] = _record(AdversarialSpec, inner, f"{where}: adversarial")
    experiment = Experiment(**values)
    check_experiment(experiment, where)
    return experiment


def _record(kind: type, table: object, where: str) -> Any:
    require(isinstance(table, dict), where, "a table", table)
    assert isinstance(table, dict)
    values = record_values(table, kind, where)
    betas = values.get("betas", [])
    ok = len(betas) in (0, 2) and all(_number(v) and 0 <= v < 1 for v in betas)
    require(ok, f"{where}.betas", "two numbers of 0 to 1", betas)
    rate = values["learning_rate"]
    ok = 0 < rate <= MOST_LEARNING_RATE
    require(ok, f"{where}.learning_rate", f"above 0, at most {MOST_LEARNING_RATE}", rate)
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_experiment(experiment: Experiment, where: str) -> None:
    """Refuse an experiment that cannot be trained.

    Args:
        experiment: Its values have the types of its fields.
        where: The file or option that an error names.

    Raises:
        SpecError: A value is out of range, or two of them do not go together.
    """
    of = experiment.adversarial
    text = experiment.name
    ok = bool(text) and text.isprintable() and Path(text).name == text and not text.startswith(".")
    require(ok, f"{where}: name", "a name that a folder can have", repr(text))
    names = all(isinstance(each, str) for each in experiment.also)
    require(names, f"{where}: also", "a list of names", list(experiment.also))
    options = (("stage", STAGES), ("network", ("dmac", "dmvn-bn")), ("pictures", PICTURES))
    for name, allowed in options:
        value = getattr(experiment, name)
        require(value in allowed, f"{where}: {name}", f"one of {', '.join(allowed)}", repr(value))
    require(
        experiment.optimizer.name in OPTIMIZERS,
        f"{where}: optimizer.name",
        f"one of {', '.join(OPTIMIZERS)}",
        experiment.optimizer.name,
    )
    ok = experiment.optimizer.name == "adam" or not experiment.optimizer.betas
    require(ok, f"{where}: optimizer.betas", "none, Adadelta has none", experiment.optimizer.betas)
    most = {"epochs": MOST_EPOCHS, "batch": MOST_BATCH, "version": MOST_EPOCHS}
    for name, limit in most.items():
        value = getattr(experiment, name)
        require(value >= 1, f"{where}: {name}", "1 or more", value)
        require(value <= limit, f"{where}: {name}", f"at most {limit:,}", value)
    for name in ("flip", "swap"):
        value = getattr(experiment, name)
        require(0 <= value <= 1, f"{where}: {name}", "0 to 1", value)
    require(0 < experiment.width <= 1, f"{where}: width", "above 0, at most 1", experiment.width)
    wanted = experiment.stage == "adversarial"
    require((of is not None) == wanted, f"{where}: adversarial", f"{wanted}", of is not None)
    if experiment.stage == "detection":
        then = "the experiment that has learnt Det"
        require(bool(experiment.start), f"{where}: start", then, "none")
    if experiment.stage != "cross-entropy" or experiment.width != 1:
        require(experiment.network == "dmac", f"{where}: network", "dmac", experiment.network)
    if of is not None:
        require(of.form in FORMS, f"{where}: form", f"one of {', '.join(FORMS)}", of.form)
        require(of.steps >= 1, f"{where}: steps", "1 or more", of.steps)
        require(of.steps <= MOST_STEPS, f"{where}: steps", f"at most {MOST_STEPS}", of.steps)
        for name in ("lambda_det", "lambda_dis"):
            value = getattr(of, name)
            ok = 0 <= value <= MOST_WEIGHT
            require(ok, f"{where}: {name}", f"0 to {MOST_WEIGHT}", value)
