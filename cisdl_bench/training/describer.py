"""Frozen features of pictures: described once, as long as memory lasts."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cisdl_bench.models.detection import Detection
from cisdl_bench.training.learner import autocast
from cisdl_bench.training.options import TrainOptions

_KEPT_BYTES = 2 << 30  # of descriptions, and of maps: a photograph is in many pairs


@dataclass
class Describer:
    """Compares pictures by a network's frozen features, and keeps the latest descriptions.

    Attributes:
        network: Network with ``describe`` and ``compare``, in evaluation mode on its device.
        options: Device and precision.
    """

    network: Any
    options: TrainOptions

    def __post_init__(self) -> None:
        self._known: OrderedDict[bytes, list[Tensor]] = OrderedDict()
        self._bytes = 0

    @torch.no_grad()
    def compare(self, probe: Tensor, donor: Tensor) -> Tensor:
        """Return the maps of a batch of pairs, float32, (N, 2, C, h, w).

        Args:
            probe: Probe pictures, uint8 or float32, (N, 3, H, W).
            donor: Donor pictures, uint8 or float32, (N, 3, H, W).
        """
        n, pictures = len(probe), torch.cat((probe, donor))
        keys = [hashlib.blake2b(_bytes_of(picture)).digest() for picture in pictures]
        with autocast(self.options):
            for k, key in enumerate(keys):
                if key not in self._known:
                    # Alone, so that its numbers do not depend on what it is described with.
                    alone = pictures[k : k + 1].to(self.options.device)
                    self._keep(key, [level[0] for level in self.network.describe(alone)])
            described = [self._known[key] for key in keys]
            levels = [torch.stack(level) for level in zip(*described, strict=True)]
            maps: Tensor = self.network.compare([x[:n] for x in levels], [x[n:] for x in levels])
        self._forget()
        return torch.stack(maps.float().chunk(2), dim=1)

    def _keep(self, key: bytes, description: list[Tensor]) -> None:
        self._known[key] = description
        self._bytes += sum(level.nbytes for level in description)

    def _forget(self) -> None:
        while self._bytes > _KEPT_BYTES:
            _, description = self._known.popitem(last=False)
            self._bytes -= sum(level.nbytes for level in description)


class RememberingDetector:
    """A network whose features are frozen, scored on the same pairs again and again.

    Args:
        network: Network with ``describe``, ``compare``, ``head`` and ``probability``.
    """

    def __init__(self, network: Any) -> None:
        self._network = network
        self._maps: dict[bytes, Tensor] = {}
        self._bytes = 0

    def detect(self, probe: Tensor, donor: Tensor) -> Detection[Tensor]:
        """Return what the network's ``detect`` does; maps of pairs that it has seen are kept."""
        key = hashlib.blake2b(_bytes_of(probe) + _bytes_of(donor)).digest()
        maps = self._maps.get(key)
        if maps is None:
            n, levels = len(probe), self._network.describe(torch.cat((probe, donor)))
            maps = self._network.compare([x[:n] for x in levels], [x[n:] for x in levels])
            if self._bytes + maps.nbytes <= _KEPT_BYTES:
                self._maps[key] = maps
                self._bytes += maps.nbytes
        size = probe.shape[-2:]
        of_probe, of_donor = self._network.head(maps).chunk(2)
        return Detection(
            self._network.probability(of_probe, size), self._network.probability(of_donor, size)
        )


def _bytes_of(pictures: Tensor) -> bytes:
    return pictures.cpu().contiguous().numpy().tobytes()
