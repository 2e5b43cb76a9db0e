import json
from pathlib import Path

import numpy as np
import pytest
import torch
from parity import pictures, weight
from references import FOLDER
from torch import Tensor

from cisdl_bench.errors import ModelError
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.models.networks.dmac import Dmac
from cisdl_bench.models.networks.dmvn import Dmvn
from cisdl_bench.models.networks.dmvn_bn import DmvnBn
from cisdl_bench.models.networks.initialise import he_initialise
from cisdl_bench.models.networks.registry import NETWORKS, build, count_parameters
from cisdl_bench.models.networks.sliding import SlidingWindows


@pytest.mark.parametrize("name", ["dmac", "dmvn_bn"])
def test_outputs_are_those_of_the_authors_networks(name: str, tmp_path: Path) -> None:
    keys = json.loads((FOLDER / "authors-keys.json").read_text())[name]
    state = {key: weight(key, shape) for key, shape in keys.items()}
    torch.save(state, tmp_path / "published.pth", _use_new_zipfile_serialization=False)
    network = load_checkpoint(tmp_path / "published.pth").network
    expected = np.load(FOLDER / "authors-outputs.npz")
    for seed in (0, 1, 5):
        with torch.no_grad():
            outputs = network(*pictures(seed))
        for side, output in zip(("probe", "donor"), outputs, strict=True):
            theirs = expected[f"{name}_{side}_{seed}"]
            ours = output[0].numpy()
            step = ours.shape[-1] // theirs.shape[-1]  # some are stored in every step-th place
            largest = expected[f"{name}_{side}_{seed}_largest"]
            assert np.abs(ours).max() == pytest.approx(largest, rel=1e-4)
            gap = np.abs(ours[:, step // 2 :: step, step // 2 :: step] - theirs).max() / largest
            assert gap < 1e-4


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("dmac", 14_920_520),
        ("dmvn-bn", 7_720_388),
        ("dmvn", 10_473_788),
        ("detection", 8_489_602),
        ("discriminative", 405_665),
    ],
)
def test_parameters_are_the_papers(name: str, parameters: int) -> None:
    assert count_parameters(build(name)) == parameters


def test_the_original_dmvn_has_the_layers_of_its_summary() -> None:
    network = Dmvn()
    counts = {name: count_parameters(part) for name, part in network.named_children()}
    assert counts["features"] == 7_635_264
    assert counts["matching"] == 72_928
    assert counts["decoder"] == 11_682
    assert counts["validator"] == 2_753_848
    assert counts["classes"] == 66
    assert [count_parameters(block) for block in network.decoder.blocks] == [8972, 1269, 636, 213]
    assert count_parameters(network.decoder.last) == 588
    assert count_parameters(network.decoder.mask) == 4
    assert count_parameters(network.validator.features) == 2_683_008
    assert count_parameters(network.validator.f1) == 66_688
    assert count_parameters(network.validator.f2) == 4_128


@pytest.mark.parametrize("size", [(64, 64), (80, 80), (128, 128), (64, 96)])
@pytest.mark.parametrize("kind", [Dmac, DmvnBn])
def test_any_size_that_the_network_allows(
    kind: type[torch.nn.Module], size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    network = kind().eval()
    pair = torch.randint(0, 256, (2, 1, 3, *size), dtype=torch.uint8)
    with torch.no_grad():
        found = network.detect(pair[0], pair[1])
    assert found.probe.shape == found.donor.shape == (1, *size)
    assert found.score is None
    assert 0 <= float(found.probe.min()) <= float(found.probe.max()) <= 1


def test_the_original_dmvn_has_a_score() -> None:
    torch.manual_seed(0)
    network = Dmvn().eval()
    with torch.no_grad():
        found = network.detect(*pictures(0))
    assert found.probe.shape == (1, 256, 256)
    assert found.score is not None
    assert 0 < float(found.score) < 1


def test_swapped_pictures_give_swapped_masks() -> None:
    torch.manual_seed(0)
    network = Dmac().eval()
    probe, donor = (x[..., :96, :64] for x in pictures(3))
    with torch.no_grad():
        here, there = network.detect(probe, donor), network.detect(donor, probe)
    torch.testing.assert_close(here.probe, there.donor, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(here.donor, there.probe, rtol=1e-4, atol=1e-6)


def test_the_adversarial_networks_take_what_the_paper_gives_them() -> None:
    detection, discriminative = build("detection"), build("discriminative")
    masked = torch.rand(2, 3, 32, 32)
    assert detection(masked, masked).shape == (2, 2)
    assert discriminative(torch.rand(2, 6, 32, 32)).shape == (2, 1)


def test_spectral_norms_are_near_one() -> None:
    torch.manual_seed(0)
    network = build("discriminative").train()
    for _ in range(60):
        network(torch.rand(1, 6, 32, 32))
    weight = network.classifier.weight.detach()
    assert float(torch.linalg.matrix_norm(weight, 2)) == pytest.approx(1, abs=1e-3)


def test_an_unknown_architecture_is_named() -> None:
    assert set(NETWORKS) >= {
        "dmac",
        "dmac-det",
        "dmvn-bn",
        "dmvn",
        "detection",
        "discriminative",
    }
    with pytest.raises(ModelError, match=r"got dmak\. Did you mean dmac"):
        build("dmak")


class Constant(torch.nn.Module):
    """Finds each picture's mean level, everywhere: which windows were seen can be read off."""

    architecture = "constant"

    def describe(self, pictures: Tensor) -> list[Tensor]:
        return [pictures.float().mean(dim=(1, 2, 3), keepdim=True) / 255]

    def match(self, probe: list[Tensor], donor: list[Tensor]) -> tuple[Tensor, Tensor]:
        return probe[0] * donor[0], donor[0]

    @staticmethod
    def probability(logits: Tensor, size: tuple[int, int]) -> Tensor:
        return logits[:, 0].expand(-1, *size).clone()


def test_sliding_windows_take_the_largest_of_all_pairs_of_windows() -> None:
    probe = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    donor = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    probe[..., :32, :32], probe[..., :32, 32:] = 255, 51
    donor[..., 32:, :32] = 204
    found = SlidingWindows(Constant(), 32, 32).detect(probe, donor)
    # A probe window against the brightest donor window; where it is dark, both whole pictures.
    whole_probe, whole_donor = (255 + 51) / 4 / 255, 0.8 / 4
    least = whole_probe * whole_donor
    expected = torch.tensor([[0.8, 0.2 * 0.8], [least, least]])
    torch.testing.assert_close(found.probe[0, ::32, ::32], expected)
    torch.testing.assert_close(found.donor[0, ::32, ::32], torch.tensor([[0.2, 0.2], [0.8, 0.2]]))


def test_windows_of_a_network_are_those_of_the_release() -> None:
    torch.manual_seed(0)
    network = Dmac().eval()
    probe, donor = (x[..., :128, :64].contiguous() for x in pictures(2))
    with torch.no_grad():
        found = SlidingWindows(network, 64, 64).detect(probe, donor)
        small = [
            torch.nn.functional.interpolate(x.float(), (64, 64), mode="bilinear")
            for x in (probe, donor)
        ]
        mask = network.probability(network(*small)[0], (128, 64))
        for top in (0, 64):
            for other in (0, 64):
                part = network.detect(
                    probe[..., top : top + 64, :], donor[..., other : other + 64, :]
                )
                mask[:, top : top + 64] = torch.maximum(mask[:, top : top + 64], part.probe)
    torch.testing.assert_close(found.probe, mask, rtol=1e-4, atol=1e-5)


def test_windows_that_do_not_fill_a_picture_are_refused() -> None:
    pair = torch.zeros(1, 3, 96, 96, dtype=torch.uint8)
    with pytest.raises(ModelError, match=r"windows that fill the picture, got a side of 96 px"):
        SlidingWindows(Constant(), 64, 64).detect(pair, pair)


def test_unit_length_correlations_are_cosines() -> None:
    torch.manual_seed(0)
    network = build("dmac-unit", configuration={"width": 0.125}).eval()
    he_initialise(network)
    probe, donor = torch.randint(0, 256, (2, 1, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        features = [network.features(network.prepare(p)) for p in (probe, donor)]
        maps = network.compare(network.describe(probe), network.describe(donor))
    for number, (a, b) in enumerate(zip(*features, strict=True)):
        rows, columns = (x[0].flatten(1).T.double().numpy() for x in (a, b))
        norms = [np.linalg.norm(x, axis=1, keepdims=True) for x in (rows, columns)]
        cosines = (rows / norms[0]) @ (columns / norms[1]).T
        largest, mean = maps[0, 16 * number].flatten(), maps[0, 16 * number + 1].flatten()
        np.testing.assert_allclose(largest, cosines.max(axis=1), atol=1e-5)
        np.testing.assert_allclose(mean, cosines.mean(axis=1), atol=1e-5)
    assert float(maps[:, 8::16].sub(1).abs().max()) < 1e-5  # with itself each position agrees best
