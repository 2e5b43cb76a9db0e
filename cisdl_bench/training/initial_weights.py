"""The weights that training begins with: VGG-16's or HED's, He's, or a checkpoint's."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from cisdl_bench.errors import ModelError, RunError
from cisdl_bench.models.checkpoints.backbone_weights import load_backbone
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.models.checkpoints.program import from_factory
from cisdl_bench.models.checkpoints.program_identity import identify_program
from cisdl_bench.models.checkpoints.vgg_weights import find_weights, load_vgg
from cisdl_bench.models.networks.registry import build, find_spec
from cisdl_bench.training.experiments import Experiment
from cisdl_bench.training.loss_terms import find_opponents


class InitialNetworks(NamedTuple):
    """Networks before their first step.

    Attributes:
        networks: Networks by name: ``network``, and its opponents.
        origin: Origin of the weights in words; goes into records and checkpoints.
        identity: Hash of the file of weights, or how they were drawn.
    """

    networks: dict[str, nn.Module]
    origin: str
    identity: str


def make_networks(
    experiment: Experiment, seed: int, vgg: Path | None, start: Path | None
) -> InitialNetworks:
    """Return an experiment's networks with the weights that it begins with.

    Args:
        experiment: Experiment that is trained.
        seed: Seed of the weights that are drawn.
        vgg: File or folder of VGG-16's convolutions, or a backbone's file or ``timm``; None: He
            initialisation.
        start: Checkpoint of the experiment that this one builds on; None where it builds on none.

    Raises:
        ModelError: A file is missing, broken, or of another network.
    """
    spec = find_spec(experiment.network)
    if vgg is not None and start is not None:
        raise ModelError(
            f"--init {vgg}: {experiment.name} builds on {start}, which has weights. "
            "Leave --init out."
        )
    if vgg is not None and not (spec.vgg_blocks or experiment.backbone):
        raise ModelError(
            f"--init {vgg}: {experiment.network} has no blocks of VGG-16. Leave --init out."
        )
    torch.manual_seed(_number(seed, "initial weights"))
    configuration: dict[str, Any] = {}
    if experiment.width != 1:
        configuration["width"] = experiment.width
    if experiment.backbone:
        configuration["backbone"] = experiment.backbone
    program = ":" in experiment.network
    network: nn.Module
    if program:
        network, module = from_factory(experiment.network)
        source = identify_program(experiment.network, module, network)[0]
    else:
        network = build(experiment.network, "network", configuration)
        spec.draw_weights(network)
    networks = {"network": network}
    beside = ["detection"] if experiment.stage == "detection" else find_opponents(experiment)
    for name in beside:
        networks[name] = build(name)
    if start is not None:
        loaded = load_checkpoint(start, network if program else None)
        _copy_weights(experiment, networks, loaded.network, start)
        origin = f"{start.name} ({loaded.note})" if loaded.note else start.name
        began = loaded.about.get("training", {}).get("initial_weights")
        if began:
            origin = f"{origin}, which began with: {began}"
        return InitialNetworks(networks, origin, f"checkpoint {loaded.sha256}")
    if vgg is not None and experiment.backbone:
        features: Any = network.features
        weights = load_backbone(features, vgg)
        return InitialNetworks(networks, weights.origin, f"{weights.identity}, He {seed}")
    if vgg is not None:
        read = load_vgg(network, vgg)
        origin = f"{read.origin} in {find_weights(vgg).name}, the rest He initialisation"
        return InitialNetworks(networks, origin, f"{read.identity}, He {seed}")
    if program:
        origin = f"drawn by {experiment.network}"
        return InitialNetworks(networks, origin, f"{source}, seed {seed}")
    unused = f"the weights of {experiment.backbone}" if experiment.backbone else "VGG-16"
    return InitialNetworks(
        networks, f"He initialisation (no --init: {unused} not used)", f"He {seed}"
    )


def _copy_weights(
    experiment: Experiment, networks: dict[str, nn.Module], source: Any, path: Path
) -> None:
    """Give networks the weights of a checkpoint's: Det's too where Det is tuned.

    Raises:
        ModelError: The checkpoint is of another network.
    """
    network = networks["network"]
    inner = getattr(source, "dmac", source)
    then = f"Give the result of {experiment.start}"
    wanted = experiment.network, getattr(network, "configuration", {})
    if (getattr(inner, "architecture", None), getattr(inner, "configuration", {})) != wanted:
        raise ModelError.expected(
            path,
            f"a checkpoint of {experiment.network}, width {experiment.width:g}",
            f"one of {source.architecture} {getattr(inner, 'configuration', '')}",
            then,
        )
    network.load_state_dict(inner.state_dict())
    if experiment.stage != "detection":
        return
    if not hasattr(source, "detection"):
        raise ModelError.expected(
            path, "a checkpoint of DMAC with its detection network", "one of DMAC alone", then
        )
    if source.pictures != experiment.pictures:
        raise ModelError.expected(
            path,
            f"a detection network that sees pictures as {experiment.pictures!r}",
            f"{source.pictures!r}",
            "Say the same under `pictures` in the experiment",
        )
    networks["detection"].load_state_dict(source.detection.state_dict())


def find_start(experiment: Experiment, given: Path | None, folder: Path) -> Path | None:
    """Return the checkpoint that an experiment builds on; None where it builds on none.

    Args:
        experiment: Experiment that is trained.
        given: Checkpoint that a user named; None takes the one in its usual place.
        folder: Folder of all runs.

    Raises:
        RunError: The experiment builds on none and one was named, or there is none.
    """
    builds_on = experiment.start
    if not builds_on:
        if given is None:
            return None
        raise RunError(
            f"--from {given}: {experiment.name} builds on no other experiment. Leave --from out; "
            "--init takes VGG-16's weights."
        )
    path = given or folder / builds_on / f"{builds_on}.pt"
    if given is None and not path.exists():
        raise RunError.expected(
            path,
            f"the result of {builds_on}, which {experiment.name} builds on",
            "no such file",
            f"Give it by --from, or run `cisdl-bench train {builds_on}` first",
        )
    return path


def _number(seed: int, *names: object) -> int:
    """Return a seed for torch's streams, keyed by what it is for."""
    text = "\0".join(("cisdl-bench training", str(seed), *map(str, names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "little")


def seed_step(seed: int, step: int, rank: int) -> None:
    """Key torch's streams, which dropout draws from, by the step: nothing of them is kept."""
    torch.manual_seed(_number(seed, "step", step, rank))
