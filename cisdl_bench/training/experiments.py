"""Experiments: TOML in ``data_specs/experiments`` or a user's own, read into frozen records."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from cisdl_bench.errors import SpecError
from cisdl_bench.models.networks.registry import NETWORKS, NetworkSpec, find_spec
from cisdl_bench.packaged import packaged_names, packaged_text
from cisdl_bench.validation import as_record, decode_toml, read_text, refuse_unknown, require

#: Largest values that an experiment may ask for; beyond them memory or the numbers give out.
MOST_BATCH, MOST_EPOCHS = 4096, 100_000

Chance = Annotated[float, Meta(ge=0, le=1)]
Weight = Annotated[float, Meta(gt=0, le=1000)]
LearningRate = Annotated[float, Meta(gt=0, le=100)]
Beta = Annotated[float, Meta(ge=0, lt=1)]
Betas = Annotated[
    tuple[Beta, ...], Meta(max_length=2, description="two numbers of 0 to 1, or none")
]


@dataclass(frozen=True)
class OptimizerSpec:
    """How one network's weights are updated; what is not said is PyTorch's default.

    Attributes:
        schedule: What becomes of the learning rate over the run: ``constant``, or ``cosine``, half
            a period down to 0.
    """

    name: Literal["adadelta", "adam"]
    learning_rate: LearningRate
    betas: Betas = ()
    schedule: Literal["constant", "cosine"] = "constant"


@dataclass(frozen=True)
class AdversarialSpec:
    """The second stage (section III-D, Algorithm 2).

    Attributes:
        form: Form of the discriminative loss, ``bce`` or ``hinge``.
        ground_truth: Whether Det also learns from true masks, equation (12).
        learning_rate: Adam's learning rate for Det and Dis.
        betas: Adam's two betas for Det and Dis.
        steps: k of Algorithm 2, updates of Det and Dis for each update of DMAC.
    """

    form: Literal["bce", "hinge"]
    ground_truth: bool
    learning_rate: LearningRate
    betas: Betas
    steps: Annotated[int, Meta(ge=1, le=1000)] = 1


@dataclass(frozen=True)
class Experiment:
    """One experiment as its TOML file says it; the files' comments explain each key.

    Attributes:
        stage: Stage of training: ``cross-entropy``, ``adversarial`` or ``detection``.
        network: Network that is trained: one of ``NETWORKS``, or ``module:factory`` of a user's.
        start: Experiment whose checkpoint this one starts from; empty for a first stage.
        place: Position in lists of experiments.
        width: Share of VGG-16's channels; the paper's is 1.
        pictures: Levels of the pictures that Det and Dis see, one of ``models.dmac_det.LEVELS``.
        losses: Weight of each term of the loss of the network that finds masks, by the term's name
            in ``LOSS_TERMS``; none for the stage ``detection``.
        adversarial: Settings of the stage of that name.
        freeze: Parts of the network that keep the weights they begin with.
        backbone: Network of timm's in place of VGG-16; empty: VGG-16.
    """

    name: str
    version: Annotated[int, Meta(ge=1, le=MOST_EPOCHS)]
    title: str
    source: str
    stage: Literal["cross-entropy", "adversarial", "detection"]
    network: str
    epochs: Annotated[int, Meta(ge=1, le=MOST_EPOCHS)]
    batch: Annotated[int, Meta(ge=1, le=MOST_BATCH)]
    flip: Chance
    swap: Chance
    optimizer: OptimizerSpec
    start: str = ""
    place: int = 0
    also: tuple[str, ...] = ()
    width: Annotated[float, Meta(gt=0, le=1)] = 1.0
    pictures: Literal["bgr-minus-mean", "-1..1"] = "bgr-minus-mean"
    losses: dict[str, Weight] = field(default_factory=dict)
    adversarial: AdversarialSpec | None = None
    freeze: tuple[Literal["features"], ...] = ()
    backbone: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the experiment as JSON-ready values."""
        table: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return table

    @property
    def sha256(self) -> str:
        """The hash of its meaning: names, title and source do not count."""
        left_out = ("name", "also", "title", "source", "place")
        table = {k: v for k, v in self.as_dict().items() if k not in left_out}
        # Later keys count where they are used: runs begun before them must go on.
        for key in ("freeze", "backbone"):
            if not table[key]:
                del table[key]
        if self.optimizer.schedule == "constant":
            del table["optimizer"]["schedule"]
        return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()

    @property
    def table_parameters(self) -> dict[str, str]:
        """The columns of Table I that name a row, as the paper prints them.

        DMAC itself has none, nor has a network that is not in the table.
        """
        if not self.start or self.network != "dmac":
            return {}
        return {
            "lambda_det": f"{self.losses.get('det', 0):g}",
            "lambda_dis": f"{self.losses.get('dis', 0):g}",
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

    What their parts mean together is not checked, which would import torch; ``load_experiment``
    does that.

    >>> [name for name in experiments() if name in ("det", "dmac", "dmac-star")]
    ['dmac', 'dmac-star', 'det']
    """
    packaged = [
        _decode(packaged_text(f"experiments/{name}.toml"), name)
        for name in packaged_names("experiments")
    ]
    in_order = sorted(packaged, key=lambda experiment: experiment.place)
    return {experiment.name: experiment for experiment in in_order}


def load_experiment(name: str) -> Experiment:
    """Return the experiment of a name or another name of it, or of a TOML file.

    Raises:
        SpecError: Unknown name, broken TOML, an unknown or missing key, or a wrong value.

    >>> load_experiment("dmac-adv").losses["dis"]
    0.01
    """
    return parse_experiment(experiment_text(name), name)


def experiment_text(name: str) -> str:
    """Return the TOML text of an experiment, of a name or another name of it, or of a file.

    Raises:
        SpecError: There is none.

    >>> 'name = "dmac-adv"' in experiment_text("dmac-adv")
    False
    """
    known: dict[str, str] = {}
    for experiment in experiments().values():
        known |= dict.fromkeys((experiment.name, *experiment.also), experiment.name)
    if name in known:
        return packaged_text(f"experiments/{known[name]}.toml")
    if not name.endswith(".toml"):
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else "`cisdl-bench train --list` names them."
        raise SpecError(
            f"{name}: expected the name of an experiment or a .toml file, got neither. {hint}"
        )
    return read_text(name, "experiment")


def parse_experiment(text: str, where: str) -> Experiment:
    """Return the experiment that a TOML text says, checked key by key.

    Raises:
        SpecError: As ``load_experiment``.
    """
    experiment = _decode(text, where)
    check_experiment(experiment, where)
    return experiment


def _decode(text: str, where: str) -> Experiment:
    return as_record(decode_toml(text, where), Experiment, where)


def check_experiment(experiment: Experiment, where: str) -> None:
    """Refuse an experiment that cannot be trained.

    Args:
        experiment: Experiment whose values have the types of its fields.
        where: The file or option that an error names.

    Raises:
        SpecError: A value is out of range, or two of them do not go together.
    """
    adversarial = experiment.adversarial
    text = experiment.name
    ok = bool(text) and text.isprintable() and Path(text).name == text and not text.startswith(".")
    require(ok, f"{where}: name", "a name that a folder can have", repr(text))
    for where_betas, spec in (
        (f"{where}: optimizer", experiment.optimizer),
        (f"{where}: adversarial", adversarial),
    ):
        ok = spec is None or len(spec.betas) in (0, 2)
        require(ok, f"{where_betas}: betas", "two numbers of 0 to 1, or none", spec and spec.betas)
    ok = experiment.optimizer.name == "adam" or not experiment.optimizer.betas
    require(ok, f"{where}: optimizer: betas", "none, Adadelta has none", experiment.optimizer.betas)
    for name, limit in {"epochs": MOST_EPOCHS, "batch": MOST_BATCH}.items():
        value = getattr(experiment, name)
        require(1 <= value <= limit, f"{where}: {name}", f"1 to {limit:,}", value)
    if experiment.stage == "detection":
        then = "the experiment that has learnt Det"
        require(bool(experiment.start), f"{where}: start", then, "none")
    _check_network(experiment, where)
    _check_losses(experiment, where)


def _check_network(experiment: Experiment, where: str) -> None:
    """Refuse a network that cannot be trained so.

    Raises:
        SpecError: It cannot.
    """
    trainable = [name for name, spec in NETWORKS.items() if spec.trainable]
    known = experiment.network in trainable or ":" in experiment.network
    what = f"one of {', '.join(trainable)}, or module:factory of your own"
    require(known, f"{where}: network", what, repr(experiment.network))
    network = find_spec(experiment.network)
    if experiment.stage != "cross-entropy" and not network.with_detection:
        raise SpecError(
            f'{where}: stage = "{experiment.stage}" needs a network that has a detection network, '
            "such as dmac. Correct the spec."
        )
    require(experiment.width == 1 or network.has_width, f"{where}: width", "1", experiment.width)
    if experiment.backbone:
        _check_backbone(experiment, network, where)
    if not experiment.freeze:
        return
    if experiment.stage != "cross-entropy":
        raise SpecError(
            f'{where}: freeze = ["features"] goes with the stage "cross-entropy" alone: opponents '
            "and Det see the pictures. Remove it."
        )
    freezable = [name for name, spec in NETWORKS.items() if spec.freezable]
    what = f"one of {', '.join(freezable)}, whose features can be frozen"
    require(experiment.network in freezable, f"{where}: network", what, repr(experiment.network))


def _check_backbone(experiment: Experiment, network: NetworkSpec, where: str) -> None:
    takers = [name for name, spec in NETWORKS.items() if spec.takes_backbone]
    what = f"one of {', '.join(takers)}, which take a backbone"
    require(network.takes_backbone, f"{where}: network", what, repr(experiment.network))
    require(experiment.width == 1, f"{where}: width", "1 beside a backbone", experiment.width)
    require(
        experiment.stage == "cross-entropy",
        f"{where}: stage",
        '"cross-entropy" beside a backbone',
        experiment.stage,
    )
    from cisdl_bench.models.networks.backbone import check_backbone  # imports torch

    check_backbone(experiment.backbone, f"{where}: backbone")


def _check_losses(experiment: Experiment, where: str) -> None:
    """Refuse terms that are unknown, or do not go with the stage.

    Raises:
        SpecError: There are such terms.
    """
    from cisdl_bench.training.loss_terms import LOSS_TERMS  # imports torch

    stage = f'{where}: stage = "{experiment.stage}"'
    adversarial = experiment.stage == "adversarial"
    if adversarial and experiment.adversarial is None:
        raise SpecError(f"{stage} needs a table [adversarial]. Add it.")
    if experiment.adversarial is not None and not adversarial:
        raise SpecError(f'{stage} has no table [adversarial]. Remove it, or say "adversarial".')
    if experiment.stage == "detection":
        if experiment.losses:
            raise SpecError(f"{stage} has a loss of its own. Remove [losses].")
        return
    refuse_unknown(experiment.losses, LOSS_TERMS, f"{where}: losses")
    if not experiment.losses:
        raise SpecError(f"{stage} needs a table [losses]. Add one with ce = 1.0.")
    against = [name for name in experiment.losses if LOSS_TERMS[name].opponent]
    if against and not adversarial:
        raise SpecError(
            f'{stage} has no opponents: the loss term {against[0]} needs "adversarial".'
        )
    if adversarial and not against:
        terms = ", ".join(name for name, term in LOSS_TERMS.items() if term.opponent)
        raise SpecError(
            f"{stage} needs a loss term with an opponent: {terms}. Add one to [losses]."
        )
