"""The losses of the paper, section III-D, a function each: equations (8) to (16); soft Dice.

Where the paper sums over positions h, w, these take the mean, as the release does: the weights
of equation (8) are meant for that. Sums over the two masks, j in {a, b}, are sums.
"""

from collections.abc import Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional

from cisdl_bench.models.networks.upsample import upsample


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the terms by their weights, added up in the order of the terms.

    Equation (8) is that of ``ce``, ``det`` and ``dis``:
    L_dmac = L_ce + lambda_det L_det^G + lambda_dis L_dis^G.

    >>> terms = {"ce": torch.tensor(1.0), "det": torch.tensor(2.0), "dis": torch.tensor(3.0)}
    >>> float(weighted_sum(terms, {"ce": 1.0, "det": 0.5, "dis": 0.25}))
    2.75
    """
    return reduce(torch.add, [weights[name] * term for name, term in terms.items()])


def spatial_cross_entropy(logits: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Return L_ce, equation (9): the cross-entropy of both masks, averaged over positions.

    Args:
        logits: Logits of each mask, (N, 2, h, w), class 1 is 'tampered'; or (N, 1, h, w), the
            logit of 'tampered' against 0.
        targets: True classes of each mask, int64 0 or 1, (N, h, w).

    >>> even = torch.zeros(1, 2, 1, 1)
    >>> round(float(spatial_cross_entropy([even, even], [torch.zeros(1, 1, 1).long()] * 2)), 4)
    1.3863
    """
    losses = [
        functional.cross_entropy(_two_classes(logit.float()), target)
        for logit, target in zip(logits, targets, strict=True)
    ]
    return torch.stack(losses).sum()


def soft_dice(logits: Sequence[Tensor], masks: Sequence[Tensor]) -> Tensor:
    """Return 1 less the soft Dice coefficient of both masks, averaged over those with a region.

    1 - (2 sum p m + 1) / (sum p + sum m + 1), p the probability and m the true share of each
    position (Milletari et al., V-Net, 3DV 2016). A small region weighs as much as a large one,
    where cross-entropy weighs positions. Logits are upsampled to twice their resolution, as they
    are when they are scored, so that the border between positions counts. 0 where no mask has a
    region.

    Args:
        logits: Logits of each mask, (N, 2, h, w), class 1 is 'tampered'; or (N, 1, h, w), the
            logit of 'tampered' against 0.
        masks: True masks, uint8 0 or 1, (N, H, W).

    >>> sure = torch.full((1, 1, 2, 2), 30.0)
    >>> whole = torch.ones(1, 4, 4, dtype=torch.uint8)
    >>> [round(float(soft_dice([logit], [whole])), 4) for logit in (sure, -sure)]
    [0.0, 0.9412]
    >>> float(soft_dice([sure], [0 * whole]))
    0.0
    """
    losses = []
    for logit, mask in zip(logits, masks, strict=True):
        classes = _two_classes(logit.float())
        side = 2 * logit.shape[-2], 2 * logit.shape[-1]
        probability = upsample(classes[:, 1:] - classes[:, :1], side).sigmoid().squeeze(1)
        share = functional.adaptive_avg_pool2d(mask.float().unsqueeze(1), side).squeeze(1)
        both = (probability * share).sum(dim=(1, 2))
        total = probability.sum(dim=(1, 2)) + share.sum(dim=(1, 2))
        one = 1 - (2 * both + 1) / (total + 1)
        losses.append(one[share.amax(dim=(1, 2)) > 0])
    joined = torch.cat(losses)
    return joined.mean() if len(joined) else joined.sum()


def _two_classes(logits: Tensor) -> Tensor:
    if logits.shape[1] == 2:
        return logits
    return torch.cat((torch.zeros_like(logits), logits), dim=1)


def generator_detection_loss(generated: Tensor, label: Tensor) -> Tensor:
    """Return L_det^G, equation (11): Det's cross-entropy on generated masks.

    Args:
        generated: Det's logits on the pictures times the generated masks, (N, 2).
        label: C_ab, int64, (N,): 1 where the pictures share a region, 0 where not.
    """
    return functional.cross_entropy(generated.float(), label)


def detection_loss(truth: Tensor | None, generated: Tensor, label: Tensor) -> Tensor:
    """Return L_det^D, equation (12): Det's cross-entropy on true and on generated masks.

    Args:
        truth: Det's logits on the pictures times the true masks, (N, 2); None leaves that term
            out, the paper's DMAC+det.
        generated: Det's logits on the pictures times the generated masks, (N, 2).
        label: C_ab, int64, (N,): 1 where the pictures share a region, 0 where not.
    """
    loss = functional.cross_entropy(generated.float(), label)
    return loss if truth is None else loss + functional.cross_entropy(truth.float(), label)


def generator_bce_loss(generated: Tensor) -> Tensor:
    """Return L_dis^G, equation (13): -log Dis, summed over both masks.

    Args:
        generated: Dis' logits on the generated masks of both pictures, (2, N, 1).
    """
    return functional.softplus(-generated.float()).mean(dim=(1, 2)).sum()


def discriminator_bce_loss(truth: Tensor, generated: Tensor) -> Tensor:
    """Return L_dis^D, equation (14): -log Dis(true) - log(1 - Dis(generated)), over both masks.

    Args:
        truth: Dis' logits on the true masks of both pictures, (2, N, 1).
        generated: Dis' logits on the generated masks of both pictures, (2, N, 1).
    """
    both = functional.softplus(-truth.float()) + functional.softplus(generated.float())
    return both.mean(dim=(1, 2)).sum()


def generator_hinge_loss(generated: Tensor) -> Tensor:
    """Return L_dis^G, equation (15): -Dis, summed over both masks; see ``generator_bce_loss``."""
    return -generated.float().mean(dim=(1, 2)).sum()


def discriminator_hinge_loss(truth: Tensor, generated: Tensor) -> Tensor:
    """Return L_dis^D, equation (16); see ``discriminator_bce_loss``.

    max(0, 1 - Dis(true)) + max(0, 1 + Dis(generated)), summed over both masks.
    """
    both = functional.relu(1 - truth.float()) + functional.relu(1 + generated.float())
    return both.mean(dim=(1, 2)).sum()


#: By the form's name: the loss of DMAC, and that of Dis.
DISCRIMINATIVE = {
    "bce": (generator_bce_loss, discriminator_bce_loss),
    "hinge": (generator_hinge_loss, discriminator_hinge_loss),
}
