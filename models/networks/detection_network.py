"""The detection network Det (paper, section III-E, Fig. 5 a): are two masked pictures related?"""

import torch
from torch import Tensor, nn


class DetectionNetwork(nn.Module):
    """A Siamese network on both pictures times their masks: 8,489,602 parameters.

    Shared: four 3x3 convolutions (16, 32, 64, 128), each with batch normalisation and ReLU, a
    3x3 pool of stride 2 after the second and the fourth. Then the absolute difference of the
    flattened features, and two fully connected layers, 8192 to 1024 to 2.

    >>> sum(p.numel() for p in DetectionNetwork().parameters())
    8489602
    """

    architecture = "detection"
    #: Side of the pictures and masks that it sees: DMAC's output, section III-D.
    side = 32

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((3, 16), (16, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after)]
            layers.append(nn.ReLU(inplace=True))
            if after in (32, 128):
                layers.append(nn.MaxPool2d(3, stride=2, padding=1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(128 * 8 * 8, 1024), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(1024, 2)
        )

    def forward(self, probe: Tensor, donor: Tensor) -> Tensor:
        """Return logits (N, 2); class 1 is 'correlated'.

        Args:
            probe: The picture, pooled to 32x32, times its mask (equations 11 and 12), float32,
                (N, 3, 32, 32).
            donor: The donor picture, pooled to 32x32, times its mask, float32, (N, 3, 32, 32).
        """
        first, second = self.features(torch.cat((probe, donor))).flatten(1).chunk(2)
        logits: Tensor = self.classifier((first - second).abs())
        return logits
