"""The inception blocks of DMVN and of its re-implementation with batch normalisation."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Conv(nn.Module):
    """Convolution that keeps the size, batch normalisation where asked for, ReLU.

    Args:
        before: Number of input channels.
        after: Number of output channels.
        kernel: Odd side of the kernel.
        norm: Whether it has batch normalisation, epsilon 0.001 as in Keras.
    """

    def __init__(self, before: int, after: int, kernel: int, norm: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, padding=kernel // 2)
        self.bn = nn.BatchNorm2d(after, eps=0.001) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, after, h, w) of (N, before, h, w)."""
        return functional.relu(self.bn(self.conv(x)))


class PooledInception(nn.Module):
    """Four branches, concatenated: pooled 3x3 then 1x1; 1x1; 1x1 then 3x3; 1x1 then 5x5.

    Returns (N, 4 after, h, w) of (N, before, h, w).
    """

    def __init__(self, before: int, after: int, norm: bool) -> None:
        super().__init__()
        self.pooled = Conv(before, after, 1, norm)
        self.one = Conv(before, after, 1, norm)
        self.three = nn.Sequential(Conv(before, after, 1, norm), Conv(after, after, 3, norm))
        self.five = nn.Sequential(Conv(before, after, 1, norm), Conv(after, after, 5, norm))

    def forward(self, x: Tensor) -> Tensor:
        """Return the four branches."""
        pooled = self.pooled(functional.max_pool2d(x, 3, stride=1, padding=1))
        return torch.cat((pooled, self.one(x), self.three(x), self.five(x)), dim=1)


class Inception(nn.Module):
    """One convolution of each kernel, concatenated: (N, 3 after, h, w) of (N, before, h, w)."""

    def __init__(self, before: int, after: int, kernels: tuple[int, ...], norm: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(Conv(before, after, kernel, norm) for kernel in kernels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the branches in the kernels' order."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Matching(nn.Module):
    """Correlation maps (N, 8, h, w) to (N, 32, h, w): inception, then a 3x3 convolution."""

    def __init__(self, norm: bool) -> None:
        super().__init__()
        self.inception = PooledInception(8, 32, norm)
        self.final = Conv(128, 32, 3, norm)

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, 32, h, w)."""
        result: Tensor = self.final(self.inception(maps))
        return result


class MaskDecoder(nn.Module):
    """Matching responses (N, 64, h, w) to a mask's logits (N, 1, 16 h, 16 w).

    Four times: twice the size, then an inception block (1, 3, 5) of 4, 3, 2, 1 filters a branch;
    a last block (5, 7, 11) of 1 a branch, and a 1x1 convolution.

    Args:
        norm: Whether convolutions are followed by batch normalisation.
        upsampling: How masks are upsampled, ``nearest`` or ``bilinear`` (align_corners).
    """

    def __init__(self, norm: bool, upsampling: str) -> None:
        super().__init__()
        self.upsampling = upsampling
        widths = ((64, 4), (12, 3), (9, 2), (6, 1))
        self.blocks = nn.ModuleList(Inception(*width, (1, 3, 5), norm) for width in widths)
        self.last = Inception(3, 1, (5, 7, 11), norm)
        self.mask = nn.Conv2d(3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        corners = True if self.upsampling == "bilinear" else None
        for block in self.blocks:
            x = block(
                functional.interpolate(
                    x, scale_factor=2, mode=self.upsampling, align_corners=corners
                )
            )
        result: Tensor = self.mask(self.last(x))
        return result
