"""The discriminative network Dis (paper, section III-E, Fig. 5 b): a true or a generated mask?"""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.parametrize import register_parametrization


class _ExactSpectralNorm(_SpectralNorm):
    """Spectral normalisation whose power iteration is float32 under autocast too."""

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            return super().forward(weight)


def spectral_norm(module: nn.Conv2d | nn.Linear) -> nn.Module:
    """Return a layer whose weight is divided by its largest singular value, in float32.

    As ``torch.nn.utils.parametrizations.spectral_norm``, with the same names of tensors.
    """
    register_parametrization(module, "weight", _ExactSpectralNorm(module.weight))
    return module


class DiscriminativeNetwork(nn.Module):
    """Four 3x3 convolutions and one linear layer under spectral normalisation.

    405,665 trainable parameters; channels 6, 32, 64, 128, 256; LeakyReLU of slope 0.1; a 3x3
    pool of stride 2 after the second and the fourth convolution.

    >>> sum(p.numel() for p in DiscriminativeNetwork().parameters())
    405665
    """

    architecture = "discriminative"
    #: Side of the pictures and masks that it sees: DMAC's output, section III-D.
    side = 32

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((6, 32), (32, 64), (64, 128), (128, 256)):
            layers.append(spectral_norm(nn.Conv2d(before, after, 3, padding=1)))
            layers.append(nn.LeakyReLU(0.1))
            if after in (64, 256):
                layers.append(nn.MaxPool2d(3, stride=2, padding=1))
        self.features = nn.Sequential(*layers)
        self.classifier = spectral_norm(nn.Linear(256 * 8 * 8, 1))

    def forward(self, masked: Tensor) -> Tensor:
        """Return (N, 1), a logit for the binary cross-entropy form, the output for the hinge form.

        Args:
            masked: The picture, pooled to 32x32, times its background mask (channels 0 to 2) and
                times its tampered mask (3 to 5), float32, (N, 6, 32, 32).
        """
        score: Tensor = self.classifier(self.features(masked).flatten(1))
        return score
