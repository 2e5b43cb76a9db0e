"""Matches that their neighbours agree with: a network of this project, not of the paper.

DMAC keeps the six translations of the largest totals, which hold a region only where it was
shifted. Here every position keeps how well it is matched anywhere (its best similarities, sorted,
as in SelfDM), and how well its match is borne out by the matches around it, within one position
more or less at each step, which a rotated or scaled region passes too (as DeepMatching, Revaud et
al., IJCV 2016, builds up its correlation pyramid).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cisdl_bench.models.networks.correlation import (
    TOP,
    opposite,
    strongest_translations,
    translation_totals,
)
from cisdl_bench.models.networks.matching import MatchingNetwork
from cisdl_bench.models.networks.vgg import AtrousFeatures, Prepare

#: Which of a position's similarities are kept, the largest is 1.
RANKS = (1, 2, 4, 8, 16, 32)
#: Distances of the neighbours that agreement is asked of, step by step; 0 asks none.
STEPS = (0, 1, 2, 4)
#: Levels of the features, and similarities whose agreement is looked at.
LEVELS, AGREED = 4, 3
_CROSS, _AGREEMENT = 1 + TOP + len(RANKS), 3 * len(STEPS)
MAPS = LEVELS * (2 * _CROSS - 1) + AGREED * _AGREEMENT


class ResidualHead(nn.Module):
    """From maps to logits: residual blocks of dilated convolutions, all at the maps' resolution.

    Args:
        channels: Number of maps.
        width: Channels inside.
        rates: Dilation of each block.
    """

    def __init__(
        self, channels: int, width: int = 64, rates: Sequence[int] = (1, 2, 4, 8, 1)
    ) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm2d(channels, affine=False, eps=1e-7)  # weights are small
        self.enter = nn.Sequential(
            nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=rate, dilation=rate, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 1, bias=False),
                nn.BatchNorm2d(width),
            )
            for rate in rates
        )
        self.leave = nn.Conv2d(width, 2, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return logits (N, 2, h, w) of maps (N, channels, h, w)."""
        x: Tensor = self.enter(self.normalise(maps))
        for block in self.blocks:
            x = functional.relu(x + block(x))
        logits: Tensor = self.leave(x)
        return logits


class Consensus(MatchingNetwork):
    """A residual head on similarities and on their agreement with their neighbours.

    Args:
        width: Share of VGG-16's channels.
    """

    architecture = "consensus"
    head_name = "residual"
    maps_version = 1

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.configuration = {} if width == 1 else {"width": width}
        self.prepare = Prepare()
        self.features = AtrousFeatures(width)
        self.residual = ResidualHead(MAPS)

    def describe(self, pictures: Tensor) -> list[Tensor]:
        """Return four levels of descriptors of unit length.

        Returns:
            (N, phases, C, h, w) each, h and w 1/8 of the pictures' side, rounded up: F2, 2x2
            positions in one; F3; F4; F5. F2 and F3 are sampled at four phases, at half the distance
            of their positions. Last, (N, 48, h, w), how similar the picture is to itself.
        """
        second, third, fourth, fifth = self.features.fine_levels(self.prepare(pictures))
        h, w = fourth.shape[-2:]
        second, third = (_reach(level, 2 * h + 1, 2 * w + 1) for level in (second, third))
        stacks, phases = [], []
        for top in (0, 1):
            for left in (0, 1):
                square = second[..., top : top + 2 * h, left : left + 2 * w]
                stacks.append(functional.pixel_unshuffle(square, 2))
                phases.append(third[..., top : top + 2 * h : 2, left : left + 2 * w : 2])
        levels = (stacks, phases, [fourth], [fifth])
        descriptors = [_scale_to_unit(torch.stack(level, dim=1)) for level in levels]
        return [*descriptors, torch.cat([_compare_with_itself(x) for x in descriptors], dim=1)]

    def compare(self, probe: Sequence[Tensor], donor: Sequence[Tensor]) -> Tensor:
        """Return the maps of both pictures, float32, (2 N, ``MAPS``, h, w), the probes' first.

        Of each level the mean similarity, the six translations of the largest totals and the
        similarities of ``RANKS``; of F2, of F3, and of F3 to F5 together the agreement, see
        ``find_agreement``; and how similar the picture is to itself.
        """
        h, w = probe[-1].shape[-2:]
        maps: tuple[list[Tensor], list[Tensor]] = ([], [])
        similarities = []
        for a, b in zip(probe[:LEVELS], donor[:LEVELS], strict=True):
            similarity = compare_phases(a, b)
            totals = translation_totals(a[:, 0], b[:, 0])[0].detach()
            maps[0].append(_summarise(similarity, totals))
            maps[1].append(_summarise(similarity.transpose(1, 2), opposite(totals)))
            similarities.append(similarity)
        coarse = torch.stack(similarities[1:]).mean(dim=0)
        for similarity in (*similarities[:2], coarse):
            for of_side, agreement in zip(maps, find_agreement(similarity, h, w), strict=True):
                of_side.append(agreement)
        both = torch.cat([torch.cat(of_side, dim=1) for of_side in maps])
        return torch.cat(
            (both.reshape(*both.shape[:2], h, w), torch.cat((probe[-1], donor[-1]))), dim=1
        )


def _reach(level: Tensor, height: int, width: int) -> Tensor:
    """Return a level that reaches at least so far, its last row and column repeated."""
    down, right = (max(0, n - m) for n, m in zip((height, width), level.shape[-2:], strict=True))
    return functional.pad(level, (0, right, 0, down), mode="replicate")


def _scale_to_unit(descriptors: Tensor) -> Tensor:
    """Return descriptors of unit length, or 0, in the type that they have."""
    return functional.normalize(descriptors.float(), dim=2).to(descriptors.dtype)


def compare_phases(a: Tensor, b: Tensor) -> Tensor:
    """Return the cosine of each position of a and of b, float32, (N, P, P).

    The largest over the phases of one while the other is at its first: a region that was shifted
    by half a position is compared without loss.

    Args:
        a: Descriptors of unit length, (N, phases, C, h, w).
        b: Descriptors of unit length, of the same shape.
    """
    first, second = a.flatten(3), b.flatten(3)
    best = first[:, 0].transpose(1, 2) @ second[:, 0]
    for phase in range(1, first.shape[1]):
        best = torch.maximum(best, first[:, 0].transpose(1, 2) @ second[:, phase])
        best = torch.maximum(best, first[:, phase].transpose(1, 2) @ second[:, 0])
    return best.float()


def _compare_with_itself(descriptors: Tensor) -> Tensor:
    """Return a level's similarities within each picture, (N, 12, h, w)."""
    alone = descriptors[:, :1]
    total = translation_totals(alone[:, 0], alone[:, 0])[1].detach()
    maps = _summarise(compare_phases(alone, alone), (total + opposite(total)) / 2)
    largest = 1 + TOP  # of each position with itself: 1
    kept = torch.cat((maps[:, :largest], maps[:, largest + 1 :]), dim=1)
    return kept.reshape(*kept.shape[:2], *alone.shape[-2:])


def _summarise(similarity: Tensor, totals: Tensor) -> Tensor:
    """Return each position's mean similarity, six translations and ``RANKS``, (N, 13, P)."""
    places = strongest_translations(totals)
    followed = similarity.gather(2, places.transpose(1, 2))
    mean = similarity.mean(dim=2, keepdim=True)
    return torch.cat((mean, followed, _rank(similarity)), dim=2).transpose(1, 2)


def _rank(similarity: Tensor) -> Tensor:
    """Return each position's similarities of ``RANKS``, (N, P, ranks)."""
    most = similarity.shape[2]
    ranks = [min(rank, most) - 1 for rank in RANKS]
    largest = similarity.topk(min(RANKS[-1], most), dim=2).values
    return largest[..., ranks]


def find_agreement(similarity: Tensor, h: int, w: int) -> tuple[Tensor, Tensor]:
    """Return how well matches are borne out by those around them, of both pictures.

    Similarities less the mean of their row and column are weighed by their share of the largest in
    row and column. At each step of ``STEPS`` a match's weight becomes the mean over itself and its
    eight neighbours at that distance of the largest weight within one position of where the
    neighbour's match should be: within one position of the donor, and of the probe, on average.

    Args:
        similarity: Cosines, (N, P, P), P = h w.
        h: Rows of the maps.
        w: Columns of the maps.

    Returns:
        (N, 12, P) of each picture: of each step the largest weight, the sum of weights, and
        exp(-d / 2), where d is the distance in positions between a position and where its best
        match's best match lies.
    """
    means = similarity.mean(dim=2, keepdim=True) + similarity.mean(dim=1, keepdim=True)
    weight = (similarity - means / 2).clamp(min=0)
    rows, columns = (weight.amax(dim=dim, keepdim=True).clamp(min=1e-6) for dim in (2, 1))
    weight = weight**3 / (rows * columns)
    n, positions, _ = weight.shape
    row, column = torch.meshgrid(
        *(torch.arange(m, device=weight.device) for m in (h, w)), indexing="ij"
    )
    place = torch.stack((row, column), dim=-1).reshape(positions, 2).to(weight.dtype)
    probe, donor = [], []
    for step in STEPS:
        if step:
            weight = weight.reshape(n, h, w, h, w)
            near = [_find_largest_near(weight, first) for first in (1, 3)]
            weight = _ask_neighbours(near[0] + near[1], step) / 2
            weight = weight.reshape(n, positions, positions)
        (most_a, best_a), (most_b, best_b) = weight.max(dim=2), weight.max(dim=1)
        back_a = (place[best_b.gather(1, best_a)] - place).norm(dim=2)
        back_b = (place[best_a.gather(1, best_b)] - place).norm(dim=2)
        probe += [most_a, weight.sum(dim=2), (-back_a / 2).exp()]
        donor += [most_b, weight.sum(dim=1), (-back_b / 2).exp()]
    return torch.stack(probe, dim=1), torch.stack(donor, dim=1)


def _find_largest_near(weight: Tensor, first: int) -> Tensor:
    """Return the largest weight within one position of one picture.

    Args:
        weight: (N, h, w, h, w), rows and columns of the probe, then of the donor.
        first: Dimension of the picture's rows, 1 or 3; its columns come next.
    """
    for dim in (first, first + 1):  # one side after the other, faster than a pool on the CPU
        size = weight.shape[dim]
        around = functional.pad(weight, (0, 0) * (4 - dim) + (1, 1))
        before, here, after = (around.narrow(dim, k, size) for k in range(3))
        weight = torch.maximum(torch.maximum(before, here), after)
    return weight


def _ask_neighbours(weight: Tensor, step: int) -> Tensor:
    """Return the mean weight of each match and its eight neighbours, 0 beyond the pictures.

    Args:
        weight: (N, h, w, h, w), rows and columns of the probe, then of the donor.
        step: Distance of the neighbours in positions.
    """
    for along_a, along_b in ((1, 3), (2, 4)):
        total, size = weight.clone(), weight.shape[along_a]
        if step < size:
            low, high = slice(0, size - step), slice(step, size)
            for here, there in ((low, high), (high, low)):
                place, neighbour = ([slice(None)] * 5 for _ in range(2))
                place[along_a] = place[along_b] = here
                neighbour[along_a] = neighbour[along_b] = there
                total[tuple(place)] += weight[tuple(neighbour)]
        weight = total
    return weight / 9
