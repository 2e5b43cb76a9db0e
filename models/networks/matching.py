"""What networks share that describe each picture, compare the descriptions and decide on masks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cisdl_bench.models.detection import Detection
from cisdl_bench.models.networks.upsample import upsample


class MatchingNetwork(nn.Module):
    """A network of three parts: descriptions of pictures, maps of a pair, and a head.

    Attributes:
        head_name: Name of the module that turns maps into logits, the part that learns where the
            features are frozen.
        maps_version: Number that rises when ``describe`` or ``compare`` give other numbers: maps
            that were kept are void then.
    """

    head_name: str
    maps_version: int

    def describe(self, pictures: Tensor) -> Sequence[Tensor]:
        """Return the levels of descriptors of pictures, RGB, 0 to 255, (N, 3, H, W)."""
        raise NotImplementedError

    def compare(self, probe: Sequence[Tensor], donor: Sequence[Tensor]) -> Tensor:
        """Return the maps of N pairs, (2 N, C, h, w): of the probes, then of the donors."""
        raise NotImplementedError

    @property
    def head(self) -> nn.Module:
        """The module from maps (N, C, h, w) to logits (N, 2, h, w); class 1 is 'tampered'."""
        return self.get_submodule(self.head_name)

    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both masks at 1/8 of the resolution; class 1 is 'tampered'.

        Args:
            probe: Probe pictures, RGB, 0 to 255, uint8 or float, (N, 3, H, W).
            donor: Donor pictures, RGB, 0 to 255, uint8 or float, (N, 3, H, W).

        Returns:
            Logits of the probe and of the donor, float32, (N, 2, H/8, W/8), rounded up.
        """
        both = self.describe(torch.cat((probe, donor)))
        n = len(probe)
        return self.match([level[:n] for level in both], [level[n:] for level in both])

    def match(self, probe: Sequence[Tensor], donor: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the logits of both masks from the descriptors."""
        # In one batch, so that both pictures have the statistics that inference has; the release
        # normalises each apart while training.
        logits: Tensor = self.head(self.compare(probe, donor))
        first, second = logits.chunk(2)
        return first, second

    @staticmethod
    def probability(logits: Tensor, size: tuple[int, ...]) -> Tensor:
        """Return a mask's probabilities (N, H, W) from its logits.

        Softmax over two classes is the sigmoid of their difference; the logits are upsampled,
        as in the release.
        """
        return upsample(logits[:, 1:] - logits[:, :1], size).sigmoid().squeeze(1)

    def detect(self, probe: Tensor, donor: Tensor) -> Detection[Tensor]:
        """Return both masks' probabilities at the pictures' own size."""
        size = probe.shape[-2:]
        return Detection(*(self.probability(logits, size) for logits in self(probe, donor)))
