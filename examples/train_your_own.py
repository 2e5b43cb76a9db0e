"""Train a network of your own on generated pairs, and score it: about a minute on a laptop.

    python examples/train_your_own.py

The mean IoU is printed twice: of a loop of one's own, and of `score`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as f

import cisdl_bench as cb


class Mine(nn.Module):
    """Matches small patches, and learns what a match looks like.

    As `score` asks for: two pictures (N, 3, H, W), RGB in 0 to 1, give two masks (N, 1, h, w) of
    any resolution, probabilities in 0 to 1.
    """

    def __init__(self) -> None:
        super().__init__()
        body = nn.Conv2d(2, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, 1, 5, padding=2)
        self.head = nn.Sequential(nn.BatchNorm2d(2), *body, nn.Sigmoid())

    def look(self, picture: Tensor, other: Tensor) -> Tensor:
        """Return one picture's mask: how well is each of its patches found in the other?"""
        own, candidates = (
            f.unfold(f.avg_pool2d(x.mean(1, keepdim=True), 2), 12, stride=stride, padding=4)
            for x, stride in ((picture, 4), (other, 2))
        )
        own, candidates = (x - x.mean(1, keepdim=True) for x in (own, candidates))
        cosine = f.normalize(own, dim=1).transpose(1, 2) @ f.normalize(candidates, dim=1)
        side = int(own.shape[2] ** 0.5)
        maps = torch.stack((cosine.amax(2), own.std(1)), dim=1)
        return self.head(maps.view(-1, 2, side, side))

    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor]:
        """Return both masks."""
        return self.look(probe, donor), self.look(donor, probe)


def main(pairs: int = 300, out: str = "cisdl-data", scores: str = "cisdl-scores/mine") -> None:
    """Make a training set and a test set, learn from one, measure on the other."""
    (training,) = cb.generate("training", pairs=pairs, out=out)
    (test,) = cb.generate("raw-easy", pairs=pairs // 4, out=out)
    torch.manual_seed(0)
    network = Mine()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for batch in cb.pair_loader(cb.PairDataset([training]), batch_size=12, shuffle=True):
        masks = network(batch["probe"].float() / 255, batch["donor"].float() / 255)
        loss = torch.zeros(())
        for mask, side in zip(masks, ("probe_mask", "donor_mask"), strict=True):
            truth = f.adaptive_avg_pool2d(batch[side][:, None].float(), mask.shape[-2:])
            loss = loss + f.binary_cross_entropy(mask, truth) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    metrics = cb.PairMetrics()  # in a loop of your own ...
    network.eval()
    with torch.inference_mode():
        for batch in cb.pair_loader(cb.PairDataset([test])):
            probe, donor = network(batch["probe"].float() / 255, batch["donor"].float() / 255)
            metrics.update(probe, donor, batch["probe_mask"], batch["donor_mask"])
    print(f"mean IoU {float(metrics.compute()['iou']):.4f}")
    print(cb.score(network, test, out=scores, name="mine", overwrite=True)[0])  # ... or in one call


if __name__ == "__main__":
    main()
