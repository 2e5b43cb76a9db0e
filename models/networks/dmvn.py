"""DMVN, the original of Wu, Abd-Almageed and Natarajan (ACM MM 2017), with its detection branch.

Their 'world' is our donor. Layer counts are held by a test.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from cisdl_bench.models.detection import Detection
from cisdl_bench.models.networks.correlation import correlate
from cisdl_bench.models.networks.inception import MaskDecoder, Matching, PooledInception
from cisdl_bench.models.networks.upsample import upsample
from cisdl_bench.models.networks.vgg import DmvnFeatures, Prepare

#: Keras's own constants for VGG-16, which the original subtracts.
KERAS_MEAN = (103.939, 116.779, 123.68)


class VisualFeatures(nn.Module):
    """The Siamese extractor on attended features: (N, 512, 16, 16) to (N, 512) in 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.inception = PooledInception(512, 16, norm=False)
        self.conv = nn.Conv2d(64, 32, 3, padding=1)
        self.f1 = nn.Linear(32 * 8 * 8, 1024)
        self.f2 = nn.Linear(1024, 512)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features; the last activation is Keras's hard sigmoid, of slope 0.2."""
        x = functional.relu(self.conv(functional.max_pool2d(self.inception(x), 2)))
        x = self.dropout(functional.relu(self.f1(x.flatten(1))))
        result: Tensor = (0.2 * self.f2(x) + 0.5).clamp(0, 1)
        return result


class Validator(nn.Module):
    """The visual consistency validator: do the two masked regions show the same thing?"""

    def __init__(self) -> None:
        super().__init__()
        self.features = VisualFeatures()
        self.share = nn.Linear(2, 8)
        self.f1 = nn.Linear(520, 128)
        self.f2 = nn.Linear(128, 32)
        self.dropout = nn.Dropout(0.5)

    def forward(self, masks: tuple[Tensor, Tensor], features: tuple[Tensor, Tensor]) -> Tensor:
        """Return (N, 32).

        Args:
            masks: Masks of donor and probe, probabilities, (N, 1, 256, 256) each.
            features: Features of donor and probe, (N, 512, 16, 16) each.
        """
        pooled = [functional.max_pool2d(mask, 16) for mask in masks]
        donor, probe = (
            self.features(feature * (attention > 0.5))
            for feature, attention in zip(features, pooled, strict=True)
        )
        shares = torch.cat([attention.mean(dim=(2, 3)) for attention in pooled], dim=1)
        x = torch.cat((self.dropout(donor - probe), torch.tanh(self.share(shares))), dim=1)
        x = self.dropout(functional.relu(self.f1(x)))
        result: Tensor = self.dropout(functional.relu(self.f2(x)))
        return result


class Dmvn(nn.Module):
    """The original DMVN: 10,473,788 parameters.

    >>> sum(p.numel() for p in Dmvn().parameters())
    10473788
    """

    architecture = "dmvn"

    def __init__(self) -> None:
        super().__init__()
        self.prepare = Prepare(KERAS_MEAN)
        self.features = DmvnFeatures()
        self.matching = Matching(norm=False)
        self.decoder = MaskDecoder(norm=False, upsampling="nearest")
        self.validator = Validator()
        self.classes = nn.Linear(32, 2)

    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits of both masks, float32 (N, 1, 256, 256), and of the two classes.

        Args:
            probe: Probe pictures, RGB, 0 to 255, uint8 or float, (N, 3, 256, 256).
            donor: Donor pictures, RGB, 0 to 255, same shape as ``probe``.

        Returns:
            The probe's, the donor's, and (N, 2), of which class 1 is 'spliced'.
        """
        features = self.features(self.prepare(torch.cat((probe, donor))))
        of_probe, of_donor = features.chunk(2)
        maps = correlate(of_probe, of_donor)
        ab, aa, ba, bb = self.matching(torch.cat(maps)).chunk(4)
        both = (torch.cat((ab, aa), dim=1), torch.cat((ba, bb), dim=1))
        first, second = self.decoder(torch.cat(both)).chunk(2)
        masks = second.sigmoid(), first.sigmoid()
        classes: Tensor = self.classes(self.validator(masks, (of_donor, of_probe)))
        return first, second, classes

    def detect(self, probe: Tensor, donor: Tensor) -> Detection[Tensor]:
        """Return both masks' probabilities and the detection branch's probability."""
        size = probe.shape[-2:]
        first, second, classes = self(probe, donor)
        of_probe, of_donor = (upsample(x, size).sigmoid().squeeze(1) for x in (first, second))
        return Detection(of_probe, of_donor, classes.float().softmax(dim=1)[:, 1])
