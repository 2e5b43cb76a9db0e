"""Matching larger pictures window by window, as the DMAC authors' repository does for 512 px."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cisdl_bench.errors import ModelError
from cisdl_bench.models.detection import Detection


class SlidingWindows(nn.Module):
    """Every window of the probe against every window of the donor, and both whole at window size.

    A pixel's probability is the largest of those that hold it. Each window's features are
    computed once, where the release computes them for each window of the other picture again.

    Args:
        network: Network with features of its own, DMAC or DMVN-BN.
        window: Side of a window in px.
        stride: Distance of neighbouring windows in px.

    Raises:
        ModelError: The network has no separate features.
    """

    def __init__(self, network: nn.Module, window: int = 256, stride: int = 256) -> None:
        super().__init__()
        if not hasattr(network, "describe"):
            raise ModelError.expected(
                "--window", "DMAC or DMVN-BN", network.architecture, "Score without --window"
            )
        self.network: Any = network
        self.window, self.stride = window, stride
        self.architecture = network.architecture

    def detect(self, probe: Tensor, donor: Tensor) -> Detection[Tensor]:
        """Return both masks' probabilities at the pictures' own size.

        Args:
            probe: Probe pictures, RGB, 0 to 255, (N, 3, H, W); windows fill H and W.
            donor: Donor pictures, RGB, 0 to 255, same shape as ``probe``.

        Raises:
            ModelError: They do not.
        """
        size = probe.shape[-2:]
        small = (self.window, self.window)
        corners = [self._starts(side) for side in size]
        places = [
            (slice(top, top + self.window), slice(left, left + self.window))
            for top, left in product(*corners)
        ]
        of_probe, of_donor = (
            [self.network.describe(picture[..., rows, columns]) for rows, columns in places]
            for picture in (probe, donor)
        )
        shrunk = [self.network.describe(_shrunk(picture, small)) for picture in (probe, donor)]
        probe_mask, donor_mask = self._masks(shrunk[0], shrunk[1], size)
        for (probe_place, first), (donor_place, second) in product(
            zip(places, of_probe, strict=True), zip(places, of_donor, strict=True)
        ):
            masks = self._masks(first, second, small)
            for mask, place, window_mask in (
                (probe_mask, probe_place, masks[0]),
                (donor_mask, donor_place, masks[1]),
            ):
                part = mask[..., place[0], place[1]]
                torch.maximum(part, window_mask, out=part)
        return Detection(probe_mask, donor_mask)

    def _masks(
        self, probe: Sequence[Tensor], donor: Sequence[Tensor], size: tuple[int, ...]
    ) -> tuple[Tensor, Tensor]:
        first, second = self.network.match(probe, donor)
        return self.network.probability(first, size), self.network.probability(second, size)

    def _starts(self, side: int) -> range:
        if side < self.window or (side - self.window) % self.stride:
            raise ModelError.expected(
                f"--window {self.window}, --stride {self.stride}",
                "windows that fill the picture",
                f"a side of {side} px",
                "Choose a stride that divides the rest",
            )
        return range(0, side - self.window + 1, self.stride)


def _shrunk(picture: Tensor, size: tuple[int, ...]) -> Tensor:
    return functional.interpolate(
        picture.to(torch.float32), size=size, mode="bilinear", align_corners=False
    )
