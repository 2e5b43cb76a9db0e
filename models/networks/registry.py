"""The networks by the name that checkpoints, experiments and commands know them by.

A new network is a file beside this one and an entry in ``NETWORKS``. Classes are named by their
place, ``module:name``, so that reading this table does not import torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from cisdl_bench.by_name import load_by_name
from cisdl_bench.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

_HERE = "cisdl_bench.models.networks"


@dataclass(frozen=True)
class NetworkSpec:
    """What the toolkit must know of a network before it is built.

    Attributes:
        path: Class of the network, ``module:name``. Its ``architecture`` is the name of its entry,
            its ``configuration`` the arguments that it takes.
        finds_masks: Whether it can be scored: it has ``detect(probe, donor)``.
        trainable: Whether an experiment can train it by itself: called with both pictures it
            returns the logits of both masks.
        has_width: Whether it takes ``width``, the share of its channels.
        side: Only side in px of pictures that it takes; None where any will do.
        multiple: Number that divides the side of the pictures.
        initialise: Function that draws its first weights, ``module:name``.
        vgg_blocks: Whether its ``features`` take VGG-16's convolutions.
        with_detection: Network that holds it together with its detection network; empty where
            there is none, so that it cannot be trained adversarially.
        freezable: Whether its features can be frozen: it is a ``MatchingNetwork``.
        takes_backbone: Whether it takes ``backbone``, a network of timm's in VGG-16's place.
    """

    path: str
    finds_masks: bool = True
    trainable: bool = False
    has_width: bool = False
    side: int | None = None
    multiple: int = 1
    initialise: str = f"{_HERE}.initialise:he_initialise"
    vgg_blocks: bool = False
    with_detection: str = ""
    freezable: bool = False
    takes_backbone: bool = False

    def load(self) -> "type[nn.Module]":
        """Return the class."""
        kind: type[nn.Module] = load_by_name(self.path)
        return kind

    def draw_weights(self, network: "nn.Module") -> None:
        """Draw the weights that training begins with, from torch's stream."""
        load_by_name(self.initialise)(network)


NETWORKS: dict[str, NetworkSpec] = {
    "dmac": NetworkSpec(
        f"{_HERE}.dmac:Dmac",
        trainable=True,
        has_width=True,
        vgg_blocks=True,
        with_detection="dmac-det",
        freezable=True,
        takes_backbone=True,
    ),
    "dmac-unit": NetworkSpec(
        f"{_HERE}.dmac_unit:DmacUnit",
        trainable=True,
        has_width=True,
        vgg_blocks=True,
        freezable=True,
        takes_backbone=True,
    ),
    "consensus": NetworkSpec(
        f"{_HERE}.consensus:Consensus",
        trainable=True,
        has_width=True,
        vgg_blocks=True,
        freezable=True,
    ),
    "dmac-det": NetworkSpec(f"{_HERE}.dmac_det:DmacDet", has_width=True),
    "dmvn-bn": NetworkSpec(f"{_HERE}.dmvn_bn:DmvnBn", trainable=True, multiple=16, vgg_blocks=True),
    "dmvn": NetworkSpec(f"{_HERE}.dmvn:Dmvn", side=256),
    "detection": NetworkSpec(f"{_HERE}.detection_network:DetectionNetwork", finds_masks=False),
    "discriminative": NetworkSpec(
        f"{_HERE}.discriminative_network:DiscriminativeNetwork", finds_masks=False
    ),
}


def find_spec(architecture: str) -> NetworkSpec:
    """Return what is known of a network, by its name or as ``module:factory`` of a user's own."""
    return NETWORKS.get(architecture) or NetworkSpec(architecture, trainable=True)


def build(
    architecture: str,
    where: object = "architecture",
    configuration: Mapping[str, Any] | None = None,
) -> "nn.Module":
    """Return a network with weights not yet meant for anything.

    Args:
        architecture: Name of the network, one of ``NETWORKS``.
        where: The file or option that an error names.
        configuration: Arguments of the network.

    Raises:
        ModelError: There is no such architecture, or it has no such configuration.
    """
    if architecture not in NETWORKS:
        near = get_close_matches(architecture, NETWORKS, n=1)
        then = f"Did you mean {near[0]}" if near else "Choose one of those"
        raise ModelError.expected(where, f"one of {', '.join(NETWORKS)}", architecture, then)
    try:
        return NETWORKS[architecture].load()(**(configuration or {}))
    except TypeError as error:
        raise ModelError.expected(
            where,
            f"a configuration of {architecture}",
            configuration,
            "Use the version of cisdl-bench that wrote it",
        ) from error


def count_parameters(network: "nn.Module") -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def check_side(network: "nn.Module", side: int, where: object) -> None:
    """Refuse pictures of a side that a network cannot take.

    Raises:
        ModelError: The original DMVN takes 256 px alone, DMVN-BN multiples of 16.
    """
    spec = NETWORKS.get(str(getattr(network, "architecture", "")))
    if spec is None:  # a network of the user's own
        return
    if spec.side not in (None, side):
        what = f"pictures of {spec.side} px"
    elif side % spec.multiple:
        what = f"a side that {spec.multiple} divides"
    else:
        return
    raise ModelError.expected(
        where, f"{what} for {network.architecture}", f"{side} px", "Generate the set at that size"
    )
