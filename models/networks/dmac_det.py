"""DMAC with its detection network: DMAC-adv-det of the paper's Tables III and IV."""

from torch import Tensor, nn
from torch.nn import functional

from cisdl_bench.models.detection import Detection
from cisdl_bench.models.networks.detection_network import DetectionNetwork
from cisdl_bench.models.networks.dmac import Dmac
from cisdl_bench.models.networks.vgg import BGR_MEAN

#: Levels of the pictures that Det and Dis see. The release's shipped script has the second one
#: switched off; the paper pools "the original images" and names no range.
MINUS_MEAN, UNIT = LEVELS = ("bgr-minus-mean", "-1..1")


def shrink_pictures(pictures: Tensor, side: int, levels: str = MINUS_MEAN) -> Tensor:
    """Return pictures average-pooled to what Det and Dis see (section III-D), in BGR.

    Args:
        pictures: Pictures, RGB, 0 to 255, (N, 3, H, W).
        side: Side of the result in px.
        levels: One of ``LEVELS``: ``bgr-minus-mean`` is 0 to 255 less ``BGR_MEAN``, as DMAC sees
            them; ``-1..1`` is 0 to 255 by 127.5, less 1.

    Returns:
        float32, (N, 3, side, side).

    >>> import torch
    >>> shrink_pictures(torch.full((1, 3, 4, 4), 255), 1, "-1..1").flatten().tolist()
    [1.0, 1.0, 1.0]
    """
    pooled = functional.adaptive_avg_pool2d(pictures.float(), side).flip(1)
    if levels == UNIT:
        return pooled / 127.5 - 1
    return pooled - pooled.new_tensor(BGR_MEAN).reshape(3, 1, 1)


def tampered_probability(logits: Tensor, side: int) -> Tensor:
    """Return a mask's probability at Det's and Dis' resolution, (N, 1, side, side).

    The softmax of two logits a position, or the sigmoid of one.

    At 256 px that is DMAC's own resolution, 32; another is resampled bilinearly.

    Args:
        logits: Logits of the mask, (N, 2, h, w) or (N, 1, h, w).
        side: Side of the result in px.
    """
    two = logits.shape[1] == 2
    probability = logits.float().softmax(dim=1)[:, 1:] if two else logits.float().sigmoid()
    if probability.shape[-1] == side:
        return probability
    return functional.interpolate(
        probability, size=(side, side), mode="bilinear", align_corners=True
    )


class DmacDet(nn.Module):
    """DMAC for the masks, Det for the pair's own probability.

    Args:
        width: Share of VGG-16's channels; the paper's is 1.
        pictures: Levels of the pictures that Det sees, one of ``LEVELS``.

    >>> sum(p.numel() for p in DmacDet().parameters()) == 14_920_520 + 8_489_602
    True
    """

    architecture = "dmac-det"

    def __init__(self, width: float = 1.0, pictures: str = MINUS_MEAN) -> None:
        super().__init__()
        self.dmac = Dmac(width)
        self.detection = DetectionNetwork()
        self.pictures = pictures
        self.configuration = {**self.dmac.configuration, "pictures": pictures}

    def detect(self, probe: Tensor, donor: Tensor) -> Detection[Tensor]:
        """Return both masks' probabilities at the pictures' own size, and Det's of each pair."""
        size, side = probe.shape[-2:], self.detection.side
        logits = self.dmac(probe, donor)
        masked = (
            shrink_pictures(picture, side, self.pictures) * tampered_probability(of_mask, side)
            for picture, of_mask in zip((probe, donor), logits, strict=True)
        )
        score = self.detection(*masked).float().softmax(dim=1)[:, 1]
        of_probe, of_donor = (self.dmac.probability(of_mask, size) for of_mask in logits)
        return Detection(of_probe, of_donor, score)
