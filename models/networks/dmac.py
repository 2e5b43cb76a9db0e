"""DMAC, the deep matching network based on atrous convolution (paper, sections III-A to III-C)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cisdl_bench.models.detection import Detection
from cisdl_bench.models.networks.correlation import MAPS, correlate
from cisdl_bench.models.networks.upsample import upsample
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


class Dmac(nn.Module):
    """DMAC: 14,920,520 trainable parameters.

    Args:
        width: Share of VGG-16's channels; the paper's is 1.

    >>> sum(p.numel() for p in Dmac().parameters())
    14920520
    """

    architecture = "dmac"
    #: Raised when ``describe`` or ``compare`` give other numbers: maps that are kept are void.
    maps_version = 1

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.configuration = {} if width == 1 else {"width": width}
        self.prepare = Prepare()
        self.features = AtrousFeatures(width)
        self.aspp = Aspp(3 * 2 * MAPS)

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

    def describe(self, pictures: Tensor) -> Sequence[Tensor]:
        """Return F3, F4 and F5 of pictures: Algorithm 1, lines 1 and 2."""
        levels: tuple[Tensor, ...] = self.features(self.prepare(pictures))
        return levels

    def match(self, probe: Sequence[Tensor], donor: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the logits of both masks from the features: Algorithm 1 from line 3, and ASPP."""
        # In one batch, so that both pictures have the statistics that inference has; the release
        # normalises each apart while training (README, Train).
        logits: Tensor = self.head(self.compare(probe, donor))
        first, second = logits.chunk(2)
        return first, second

    def compare(self, probe: Sequence[Tensor], donor: Sequence[Tensor]) -> Tensor:
        """Return the correlation maps of the features: Algorithm 1 from line 3.

        Returns:
            (2 N, 48, h, w): of the probes, then of the donors.
        """
        levels = [correlate(a, b) for a, b in zip(probe, donor, strict=True)]
        of_probe = torch.cat([maps for c in levels for maps in (c.ab, c.aa)], dim=1)
        of_donor = torch.cat([maps for c in levels for maps in (c.ba, c.bb)], dim=1)
        return torch.cat((of_probe, of_donor))

    @property
    def head(self) -> nn.Module:
        """The part that learns where the features are frozen: from correlation maps to logits."""
        return self.aspp

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
