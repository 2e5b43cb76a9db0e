"""Score a Hugging Face vision transformer as a detector, without training anything.

    python examples/score_hugging_face.py facebook/dinov2-small rotation-easy

Patches of both pictures are compared by the cosine of their features. A patch whose best match in
the other picture stands out is called tampered: a baseline of ten lines, not a good detector.
"""

import sys

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize
from transformers import AutoModel

import cisdl_bench as cb


class PatchMatcher(nn.Module):
    """Frozen features, one cosine for each pair of patches."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.backbone = AutoModel.from_pretrained(name).eval()
        mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))

    def describe(self, pictures: Tensor) -> Tensor:
        """Return unit features of the patches, (N, side * side, C)."""
        patch = self.backbone.config.patch_size
        side = pictures.shape[-1] // patch * patch
        resized = interpolate(pictures, (side, side), mode="bilinear", antialias=True)
        features = self.backbone((resized - self.mean) / self.std).last_hidden_state
        return normalize(features[:, -((side // patch) ** 2) :], dim=-1)  # without the class token

    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor]:
        """Return both masks' probabilities, (N, side, side), as `score` asks for."""
        cosine = self.describe(probe) @ self.describe(donor).transpose(1, 2)
        masks = []
        for dim in (2, 1):
            best = cosine.amax(dim=dim)
            side = int(best.shape[1] ** 0.5)
            standing_out = (best - best.mean(dim=1, keepdim=True)) / best.std(dim=1, keepdim=True)
            masks.append(torch.sigmoid(4 * (standing_out - 1)).view(-1, side, side))
        return masks[0], masks[1]


if __name__ == "__main__":
    backbone, data = sys.argv[1], cb.open_pairs(sys.argv[2])
    for result in cb.score(PatchMatcher(backbone), data, name=backbone.split("/")[-1]):
        print(result)
