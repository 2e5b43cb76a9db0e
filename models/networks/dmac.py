"""DMAC, the deep matching network based on atrous convolution (paper, sections III-A to III-C)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cisdl_bench.models.networks.backbone import Backbone
from cisdl_bench.models.networks.correlation import MAPS, correlate
from cisdl_bench.models.networks.matching import MatchingNetwork
from cisdl_bench.models.networks.vgg import AtrousFeatures, Prepare

RATES = (6, 12, 18, 24)


class Aspp(nn.Module):
    """Atrous spatial pyramid pooling (section III-C, Fig. 4): four branches, added.

    A branch: 3x3 convolution of one rate, batch normalisation, ReLU; 1x1 convolution, batch
    normalisation, ReLU; 1x1 convolution to two classes.

    Args:
        channels: Channels of the input; each branch has twice as many inside.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = 2 * channels
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, width, 3, padding=rate, dilation=rate),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 1),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, 2, 1),
            )
            for rate in RATES
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, 2, h, w) of correlation maps (N, channels, h, w)."""
        total: Tensor = self.branches[0](x)
        for branch in self.branches[1:]:
            total = total + branch(x)
        return total


class Dmac(MatchingNetwork):
    """DMAC: 14,920,520 trainable parameters.

    Args:
        width: Share of VGG-16's channels; the paper's is 1.
        backbone: Network of timm's whose levels stand in for VGG-16's F3, F4 and F5, such as
            ``convnext_tiny.fb_in22k``; empty: VGG-16.

    >>> sum(p.numel() for p in Dmac().parameters())
    14920520
    """

    architecture = "dmac"
    head_name = "aspp"
    maps_version = 1

    def __init__(self, width: float = 1.0, backbone: str = "") -> None:
        super().__init__()
        given = {"width": (width, 1.0), "backbone": (backbone, "")}
        self.configuration = {key: value for key, (value, usual) in given.items() if value != usual}
        self.prepare = nn.Identity() if backbone else Prepare()
        self.features = Backbone(backbone) if backbone else AtrousFeatures(width)
        self.aspp = Aspp(3 * 2 * MAPS)

    def describe(self, pictures: Tensor) -> Sequence[Tensor]:
        """Return F3, F4 and F5 of pictures: Algorithm 1, lines 1 and 2."""
        levels: tuple[Tensor, ...] = self.features(self.prepare(pictures))
        return levels

    def compare(self, probe: Sequence[Tensor], donor: Sequence[Tensor]) -> Tensor:
        """Return the correlation maps of the features: Algorithm 1 from line 3.

        Returns:
            (2 N, 48, h, w): of the probes, then of the donors.
        """
        levels = [correlate(a, b) for a, b in zip(probe, donor, strict=True)]
        of_probe = torch.cat([maps for c in levels for maps in (c.ab, c.aa)], dim=1)
        of_donor = torch.cat([maps for c in levels for maps in (c.ba, c.bb)], dim=1)
        return torch.cat((of_probe, of_donor))
