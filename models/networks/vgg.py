"""VGG-16's convolution blocks, as DMVN uses them and with atrous convolution as DMAC does."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Convolutions of VGG-16 by block: each one's output channels.
BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
#: Means of ImageNet in BGR, grey levels, as Caffe's VGG-16 subtracts them (protocol, section 7).
BGR_MEAN = (104.008, 116.669, 122.675)


class Prepare(nn.Module):
    """Turns RGB pictures into what the networks see: BGR, 0 to 255, minus a mean.

    Args:
        mean: Means of blue, green and red in grey levels.

    >>> Prepare((1.0, 2.0, 3.0))(torch.full((1, 3, 1, 1), 10, dtype=torch.uint8)).flatten()
    tensor([9., 8., 7.])
    """

    def __init__(self, mean: tuple[float, float, float] = BGR_MEAN) -> None:
        super().__init__()
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(mean).reshape(3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return float32 (N, 3, H, W) in channels-last order.

        Args:
            pictures: Pictures, RGB, 0 to 255, uint8 or float, (N, 3, H, W).
        """
        bgr = pictures.flip(1).to(torch.float32) - self.mean
        return bgr.contiguous(memory_format=torch.channels_last)


class Vgg16(nn.Module):
    """The first blocks of VGG-16: 3x3 convolutions and ReLU.

    Convolutions are named as in Keras and in the literature: ``conv1_1`` to ``conv5_3``.

    Args:
        blocks: Number of blocks, 1 to 5.
        dilation: Dilation of each block's convolutions; the padding keeps the size.
        width: Share of VGG-16's channels.
    """

    def __init__(
        self, blocks: int, dilation: tuple[int, ...] = (1, 1, 1, 1, 1), width: float = 1.0
    ) -> None:
        super().__init__()
        channels = 3
        self.names: list[list[str]] = []
        for number, full in enumerate(BLOCKS[:blocks], start=1):
            outputs = tuple(max(1, round(width * channels_out)) for channels_out in full)
            rate = dilation[number - 1]
            self.names.append([])
            for k, (before, after) in enumerate(pairwise((channels, *outputs)), start=1):
                name = f"conv{number}_{k}"
                conv = nn.Conv2d(before, after, 3, padding=rate, dilation=rate)
                self.add_module(name, conv)
                self.names[-1].append(name)
            channels = outputs[-1]

    def block(self, number: int, x: Tensor) -> Tensor:
        """Return x after block ``number``, 1 to 5, without a pool."""
        for name in self.names[number - 1]:
            x = functional.relu(self.get_submodule(name)(x), inplace=True)
        return x


class DmvnFeatures(Vgg16):
    """Blocks 1 to 4 with a 2x2 pool after each: F4 of the paper's Fig. 3 (a)."""

    def __init__(self) -> None:
        super().__init__(blocks=4)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 512, H/16, W/16) of prepared pictures (N, 3, H, W)."""
        for number in (1, 2, 3, 4):
            x = functional.max_pool2d(self.block(number, x), 2)
        return x


class AtrousFeatures(Vgg16):
    """All five blocks at 1/8 of the resolution: F3, F4, F5 of the paper's Fig. 3 (b).

    3x3 pools: of stride 2 after blocks 1 to 3, of stride 1 after blocks 4 and 5; the
    convolutions of block 5 are dilated by 2 (section III-A, equation 1 with r = 2).

    Args:
        width: Share of VGG-16's channels.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__(blocks=5, dilation=(1, 1, 1, 1, 2), width=width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return F3 (N, 256, h, w), F4 and F5 (N, 512, h, w) of prepared pictures (N, 3, H, W).

        h is H / 8, rounded up; w alike.
        """
        levels = []
        for number, stride in enumerate((2, 2, 2, 1, 1), start=1):
            x = functional.max_pool2d(self.block(number, x), 3, stride=stride, padding=1)
            levels.append(x)
        return levels[2], levels[3], levels[4]

    def fine_levels(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return F2 and F3 at 1/4 of the resolution, and F4 and F5 at 1/8, rounded up.

        Every other row and column of this F3 is the F3 of ``forward``.
        """
        levels = []
        for number, stride in enumerate((2, 2, 2, 1, 1), start=1):
            x = self.block(number, x)
            if number == 3:
                levels.append(functional.max_pool2d(x, 3, stride=1, padding=1))
            x = functional.max_pool2d(x, 3, stride=stride, padding=1)
            if number != 3:
                levels.append(x)
        _, second, third, fourth, fifth = levels
        return second, third, fourth, fifth
