"""The networks by the name that checkpoints and commands know them by."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from torch import nn

from cisdl_bench.errors import ModelError
from cisdl_bench.models.networks.detection_network import DetectionNetwork
from cisdl_bench.models.networks.discriminative_network import DiscriminativeNetwork
from cisdl_bench.models.networks.dmac import Dmac
from cisdl_bench.models.networks.dmac_det import DmacDet
from cisdl_bench.models.networks.dmvn import Dmvn
from cisdl_bench.models.networks.dmvn_bn import DmvnBn

NETWORKS: dict[str, type[nn.Module]] = {
    "dmac": Dmac,
    "dmac-det": DmacDet,
    "dmvn-bn": DmvnBn,
    "dmvn": Dmvn,
    "detection": DetectionNetwork,
    "discriminative": DiscriminativeNetwork,
}


def build(
    architecture: str,
    where: object = "architecture",
    configuration: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Return a network with weights not yet meant for anything.

    Args:
        architecture: One of ``NETWORKS``.
        where: What an error names.
        configuration: Arguments of the network.

    Raises:
        ModelError: There is no such architecture, or it has no such configuration.
    """
    if architecture not in NETWORKS:
        near = get_close_matches(architecture, NETWORKS, n=1)
        then = f"Did you mean {near[0]}" if near else "Choose one of those"
        raise ModelError.expected(where, f"one of {', '.join(NETWORKS)}", architecture, then)
    try:
        return NETWORKS[architecture](**(configuration or {}))
    except TypeError as error:
        raise ModelError.expected(
            where, f"a configuration of {architecture}", configuration, "Use the version it is of"
        ) from error


def parameters_of(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def check_side(network: nn.Module, side: int, where: object) -> None:
    """Refuse pictures of a side that a network cannot take.

    Raises:
        ModelError: The original DMVN takes 256 px alone, DMVN-BN multiples of 16.
    """
    name = getattr(network, "architecture", "")
    fixed, multiple = getattr(network, "side", side), getattr(network, "multiple", 1)
    if side != fixed or side % multiple:
        what = f"pictures of {fixed} px" if side != fixed else f"a side that {multiple} divides"
        raise ModelError.expected(
            where, f"{what} for {name}", f"{side} px", "Generate the set at that size"
        )
