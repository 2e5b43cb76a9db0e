"""The checkpoints that come with the package: small, described, and of weights that can be got."""

from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard

from cisdl_bench.hashing import hash_file
from cisdl_bench.models.checkpoints.checkpoint import read_safetensors
from cisdl_bench.models.checkpoints.content import read_content
from cisdl_bench.models.checkpoints.heads import VARIABLE, has_features
from cisdl_bench.models.find import SHIPPED, find_detector
from cisdl_bench.models.networks.registry import build
from cisdl_bench.packaged import packaged_path, packaged_text
from cisdl_bench.training.experiments import experiments


@pytest.mark.parametrize("name", SHIPPED)
def test_each_is_small_and_has_a_card_an_experiment_and_features(name: str) -> None:
    path = packaged_path(f"checkpoints/{name}.safetensors")
    assert path.stat().st_size < 1_000_000
    content = read_content(read_safetensors(path), path)
    experiment = experiments()[name]
    assert content.about["architecture"] == experiment.network
    assert content.about["training"]["finished"]
    kind, sha256 = content.about["features"]["identity"].split()
    assert kind == "HED"
    assert sha256 in packaged_text("downloads.toml")  # of the file that `fetch hed` takes out
    own = build(experiment.network).state_dict()
    head = {key: value for key, value in own.items() if not key.startswith("features.")}
    assert set(content.state) == set(head)
    numbers = sum(
        v.numel() for key, v in head.items() if "running" not in key and "num_" not in key
    )
    card = packaged_text(f"checkpoints/{name}.md")
    assert f"| Parameters | {numbers:,} |" in card
    assert f"| SHA-256 | `{hash_file(path)}` |" in card  # written for this very file
    assert ModelCard(card).data.library_name == "cisdl-bench"
    for heading in ("**Features**", "**Licence of the data**", "## Scores", "## Limits"):
        assert heading in card


def test_a_region_is_found_that_was_never_seen(tmp_path: Path) -> None:
    """On made-up textures, a square moved; needs `fetch hed`."""
    path = packaged_path("checkpoints/consensus-frozen.safetensors")
    if not has_features(path):
        pytest.skip(
            f"HED's weights are not at hand: run `cisdl-bench fetch hed`, or set {VARIABLE}"
        )
    numbers = torch.Generator().manual_seed(0)
    background, donor = torch.randint(0, 256, (2, 1, 3, 16, 16), generator=numbers).float()
    grow = torch.nn.Upsample(size=(256, 256), mode="bicubic")
    background, donor = (grow(x).clamp(0, 255).to(torch.uint8) for x in (background, donor))
    probe = background.clone()
    probe[..., 64:176, 80:192] = donor[..., 96:208, 40:152]
    truth = torch.zeros(256, 256, dtype=torch.bool)
    truth[64:176, 80:192] = True
    with torch.inference_mode():
        answer = find_detector("consensus-frozen").network.detect(probe, donor)
    found = answer.probe[0] > 0.5
    assert (found & truth).sum() / (found | truth).sum() > 0.5
