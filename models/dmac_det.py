"""DMAC with its detection network: DMAC-adv-det of the paper's Tables III and IV."""

from torch import Tensor, nn
from torch.nn import functional

from cisdl_bench.models.detection import Detection
from cisdl_bench.models.detection_network import DetectionNetwork
from cisdl_bench.models.dmac import Dmac


def shrunk_pictures(pictures: Tensor, side: int) -> Tensor:
    """Return pictures average-pooled to what Det and Dis see (section III-D), in -1 to 1.

    The range is that of the release; grey is 0, as is what a mask leaves out.

    Args:
        pictures: RGB, 0 to 255, (N, 3, H, W).
        side: Of the result in px.
    """
    pooled = functional.adaptive_avg_pool2d(pictures.float(), side)
    return pooled / 127.5 - 1


def tampered_probability(logits: Tensor, side: int) -> Tensor:
    """Return the softmax of a mask's logits at Det's and Dis' resolution, (N, 1, side, side).

    At 256 px that is DMAC's own resolution, 32; another is resampled bilinearly.

    Args:
        logits: (N, 2, h, w).
        side: Of the result in px.
    """
    probability = logits.float().softmax(dim=1)[:, 1:]
    if probability.shape[-1] == side:
        return probability
    return functional.interpolate(
        probability, size=(side, side), mode="bilinear", align_corners=True
    )


class DmacDet(nn.Module):
    """DMAC for the masks, Det for the pair's own probability.

    Args:
        width: Share of VGG-16's channels; the paper's is 1.

    >>> sum(p.numel() for p in DmacDet().parameters()) == 14_920_520 + 8_489_602
    True
    """

    architecture = "dmac-det"

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.dmac = Dmac(width)
        self.detection = DetectionNetwork()
        self.configuration = self.dmac.configuration

    def detect(self, probe: Tensor, donor: Tensor) -> Detection:
        """Return both masks' probabilities at the pictures' own size, and Det's of each pair."""
        size, side = probe.shape[-2:], self.detection.side
        logits = self.dmac(probe, donor)
        masked = (
            shrunk_pictures(picture, side) * tampered_probability(of_mask, side)
            for picture, of_mask in zip((probe, donor), logits, strict=True)
        )
        score = self.detection(*masked).float().softmax(dim=1)[:, 1]
        of_probe, of_donor = (self.dmac.probability(each, size) for each in logits)
        return Detection(of_probe, of_donor, score)
