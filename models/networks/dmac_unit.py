"""DMAC on descriptors of unit length: correlations are cosines."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from cisdl_bench.models.networks.dmac import Dmac


class DmacUnit(Dmac):
    """DMAC whose features have unit length at each position; not the paper's.

    The paper divides the product of two descriptors by their number of channels, so that a bright
    or busy position outweighs one that agrees. Descriptors of unit length (L2 over the channels)
    leave the cosine of their angle, as the same authors' SelfDM has it.
    """

    architecture = "dmac-unit"

    def describe(self, pictures: Tensor) -> Sequence[Tensor]:
        """Return F3, F4 and F5 of pictures, each position scaled to a mean square of 1.

        ``correlate`` divides by the number of channels: what is left is the cosine.
        """
        return [
            functional.normalize(level.float(), dim=1) * level.shape[1] ** 0.5
            for level in super().describe(pictures)
        ]
