"""DMVN-BN: the DMAC authors' re-implementation of DMVN with batch normalisation."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cisdl_bench.models.detection import Detection
from cisdl_bench.models.networks.correlation import correlate
from cisdl_bench.models.networks.inception import MaskDecoder, Matching
from cisdl_bench.models.networks.upsample import upsample
from cisdl_bench.models.networks.vgg import DmvnFeatures, Prepare


class DmvnBn(nn.Module):
    """DMVN-BN: 7,720,388 trainable parameters, localisation only.

    >>> sum(p.numel() for p in DmvnBn().parameters())
    7720388
    """

    architecture = "dmvn-bn"

    def __init__(self) -> None:
        super().__init__()
        self.prepare = Prepare()
        self.features = DmvnFeatures()
        self.matching = Matching(norm=True)
        self.decoder = MaskDecoder(norm=True, upsampling="bilinear")

    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both masks, each float32 (N, 1, H, W).

        Args:
            probe: Probe pictures, RGB, 0 to 255, (N, 3, H, W), H and W multiples of 16.
            donor: Donor pictures, RGB, 0 to 255, same shape as ``probe``.
        """
        (features,) = self.describe(torch.cat((probe, donor)))
        n = len(probe)
        return self.match((features[:n],), (features[n:],))

    def describe(self, pictures: Tensor) -> Sequence[Tensor]:
        """Return the features of pictures, one map (N, 512, H/16, W/16)."""
        return (self.features(self.prepare(pictures)),)

    def match(self, probe: Sequence[Tensor], donor: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the logits of both masks from the features."""
        maps = correlate(probe[0], donor[0])
        ab, aa, ba, bb = self.matching(torch.cat(maps)).chunk(4)
        both = (torch.cat((ab, aa), dim=1), torch.cat((ba, bb), dim=1))
        first, second = self.decoder(torch.cat(both)).chunk(2)
        return first, second

    @staticmethod
    def probability(logits: Tensor, size: tuple[int, ...]) -> Tensor:
        """Return a mask's probabilities (N, H, W) from its logits."""
        return upsample(logits, size).sigmoid().squeeze(1)

    def detect(self, probe: Tensor, donor: Tensor) -> Detection[Tensor]:
        """Return both masks' probabilities at the pictures' own size."""
        size = probe.shape[-2:]
        return Detection(*(self.probability(logits, size) for logits in self(probe, donor)))
