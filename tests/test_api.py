"""The public face: its names, slices and notebooks, and the parts used together."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import make
from lists import write_mfc
from PIL import Image
from torch import Tensor, nn

import cisdl_bench as cb
from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.bars import Bars
from cisdl_bench.errors import CisdlError, ModelError, RunError, SourceError
from cisdl_bench.results.reload import find_masks, reopen
from cisdl_bench.strict_json import json_text


class Dark(nn.Module):
    """Everything dark is tampered; knows whether it was in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.part, self.other = nn.Dropout(), nn.Dropout()
        self.seen: list[bool] = []

    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor]:
        self.seen.append(self.part.training)
        return 1 - probe.mean(dim=1), 1 - donor.mean(dim=1)


def texts(result: Any) -> str:
    return json_text(result.record)  # NaN equals itself there


@pytest.fixture(scope="module")
def data(coco: Path, tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("api")
    make(coco, folder, "training", pairs=12)
    return folder / "training"


def test_every_name_is_there_and_the_package_is_light() -> None:
    code = (
        "import sys, cisdl_bench as cb\n"
        "heavy = {'numpy', 'torch', 'pandas', 'cv2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "for name in cb.__all__: assert getattr(cb, name).__doc__, name\n"
        "assert set(cb.__all__) <= set(dir(cb))\n"
        "import cisdl_bench.generation.run, cisdl_bench.scoring.run\n"
        "assert callable(cb.generate) and callable(cb.score) and callable(cb.detect)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="api_"):
        cb.api_  # noqa: B018


def test_generate_score_and_load_are_the_commands(coco: Path, tmp_path: Path) -> None:
    sets = cb.generate(
        "raw", ["hard", "easy"], coco=coco, out=tmp_path, pairs=4, jobs=1, progress=False
    )
    assert [pairs.name for pairs in sets] == ["raw-difficult", "raw-easy"]
    opened = cb.open_pairs(tmp_path / "raw-easy")
    assert opened.fingerprint == sets[1].fingerprint
    results = cb.score(
        "oracle", tmp_path, "raw-easy", out=tmp_path / "scores", workers=1, progress=False
    )
    assert [result.summary["iou"] for result in results] == [1.0]
    loaded = cb.load_results(tmp_path / "scores")
    assert [texts(result) for result in loaded] == [texts(result) for result in results]
    frame = loaded[0].frame()
    assert list(frame["probe_iou"]) == [1.0] * 4
    assert repr(loaded[0]).startswith("<Result oracle on raw-easy: 4 pairs, IoU 1.0000")


def test_a_network_at_hand_is_scored_and_keeps_its_modes(data: Path, tmp_path: Path) -> None:
    network = Dark()
    network.other.eval()
    pairs = cb.open_pairs(data)
    results = cb.score(network, pairs, out=tmp_path, name="mine", progress=False)
    assert (network.training, network.part.training, network.other.training) == (True, True, False)
    assert network.seen == [False] * 12
    assert results[0].detector == "mine"
    wanted = []
    for pair in pairs:
        if pair.label == 1:
            sides = ((pair.probe, pair.probe_mask), (pair.donor, pair.donor_mask))
            for picture, truth in sides:
                mask = 1 - picture.astype(np.float32).mean(axis=2) / 255 > 0.5
                wanted.append((mask & truth).sum() / (mask | truth).sum())
    assert results[0].summary["iou"] == pytest.approx(np.mean(wanted), abs=2e-3)


def test_a_network_that_changed_is_another_one(data: Path, tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Sigmoid())
    model = Twice(network)
    pairs = cb.open_pairs(data)[:2]
    first = cb.score(model, pairs, out=tmp_path, progress=False)
    again = cb.score(model, pairs, out=tmp_path, progress=False)
    assert texts(again[0]) == texts(first[0])
    with torch.no_grad():
        network[0].weight.add_(1)
    with pytest.raises(RunError, match="identity"):
        cb.score(model, pairs, out=tmp_path, progress=False)
    cb.score(model, pairs, out=tmp_path, overwrite=True, progress=False)


class Twice(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, ...]:
        return self.network(probe), self.network(donor)


def test_a_limit_is_a_slice_and_the_report_finds_its_pairs(data: Path, tmp_path: Path) -> None:
    results = cb.score(
        "random", data, "training", out=tmp_path / "r", limit=5, workers=1, progress=False
    )
    assert results[0].summary["pairs"] == 5
    assert "limited to 5 of 12 pairs" in results[0].notes
    pairs = reopen(results[0], Bars(True))
    assert list(pairs.indices) == [0, 1, 2, 3, 4]
    masks = find_masks(results[0], pairs, 3)
    assert masks is not None
    whole = cb.score("random", data, "training", out=tmp_path / "w", workers=1, progress=False)
    assert results[0].frame().equals(whole[0].frame()[:5])
    beyond = cb.score("random", data, out=tmp_path / "w", limit=99, workers=1, progress=False)
    assert texts(beyond[0]) == texts(whole[0])
    record = results[0].record
    record["origin"]["slice"] = [0, 13, 1]
    with pytest.raises(RunError, match="12 pairs"):
        reopen(results[0], Bars(True))


def test_slices_are_read_when_they_are_used(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = cb.open_pairs(data)
    read: list[int] = []
    inner = type(pairs).read_into
    monkeypatch.setattr(
        type(pairs),
        "read_into",
        lambda self, index, *a: read.append(index) or inner(self, index, *a),
    )
    part = pairs[2:11:3][::-1]
    assert read == []
    assert len(part) == 3
    assert [pair.name for pair in part] == ["training/8", "training/5", "training/2"]
    assert part[-1].name == "training/2"
    assert np.array_equal(part[0].probe, pairs[8].probe)
    assert read == [8, 5, 2, 2, 8, 8]
    assert pairs[:] is pairs
    assert len({pairs.fingerprint, part.fingerprint, pairs[2:11:3].fingerprint}) == 3
    assert pairs[0:7:2].fingerprint != pairs[0:7:3].fingerprint
    assert pairs[1:][1:].fingerprint == pairs[2:].fingerprint
    with pytest.raises(IndexError):
        part[3]
    assert len(cb.PairDataset(pairs[4:7])) == len(cb.PairDataset([pairs[4:7]])) == 3
    batch = next(iter(cb.pair_loader(cb.PairDataset([pairs[4:7]]), batch_size=3)))
    assert torch.equal(batch["label"], torch.tensor([pairs[k].label for k in (4, 5, 6)]))


def test_places_of_a_list_have_no_gaps_and_numbers_stay(tmp_path: Path) -> None:
    index = write_mfc(tmp_path / "data")
    (tmp_path / "data" / "raw-probe.png").unlink()
    pairs = open_list(index, ListOptions(size=64, labelled=False, skip_unusable=True), Bars(True))
    assert list(pairs.indices) == [1, 2]
    assert [pairs[k].name for k in (0, 1)] == [pairs.pair(k).name for k in (1, 2)]
    assert [pair.name for pair in pairs[1:]] == [pairs.pair(2).name]
    with pytest.raises(IndexError):
        pairs[2]


def test_pairs_show_themselves(data: Path) -> None:
    pairs = cb.open_pairs(data)
    pair = pairs[0]
    share = pair.probe_mask.mean()
    assert repr(pair) == (
        f"<Pair training/0: foreground, 256 px, {share:.1%} of the probe, "
        f"{pair.donor_mask.mean():.1%} of the donor>"
    )
    picture = pair.show()
    assert picture.size == (2 * 256 + 2, 256)
    assert pair._repr_png_().startswith(b"\x89PNG")
    shown = np.asarray(picture)[:, :256]
    changed = (shown != pair.probe).any(axis=2)
    edge = pair.probe_mask ^ np.roll(pair.probe_mask, 1, axis=0)
    assert 0 < changed.sum() < 12 * edge.sum()
    assert "<img" not in pairs[3:3]._repr_html_()
    html = pairs[:3]._repr_html_()
    assert "training: 3 pairs of 256 px" in html
    assert html.count("<img ") == 1
    assert "&lt;PairSlice" in html


def three_quarters(probe: Tensor, donor: Tensor) -> tuple[Tensor, ...]:
    return torch.full_like(probe[:, 0], 0.75), donor[:, 0]


LEVEL = 0.25


def as_the_module_says(probe: Tensor, donor: Tensor) -> tuple[Tensor, ...]:
    return torch.full_like(probe[:, 0], LEVEL), donor[:, 0]


def test_a_number_that_a_function_reads_is_part_of_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = cb.open_pairs(data)[:1]
    cb.score(as_the_module_says, pairs, out=tmp_path, progress=False)
    monkeypatch.setattr(sys.modules[__name__], "LEVEL", 0.75)
    with pytest.raises(RunError, match="identity"):
        cb.score(as_the_module_says, pairs, out=tmp_path, progress=False)


def test_no_pairs_are_not_all_pairs(tmp_path: Path) -> None:
    for settings in ({"pairs": 0}, {"pairs": -1}, {"jobs": 0}, {"seed": -1}):
        with pytest.raises(CisdlError, match=next(iter(settings))):
            cb.generate("raw-easy", out=tmp_path, progress=False, **settings)
    assert list(tmp_path.iterdir()) == []


def test_detect_takes_files_arrays_and_networks(data: Path, tmp_path: Path) -> None:
    pair = cb.open_pairs(data)[0]
    Image.fromarray(pair.probe).resize((300, 200)).save(tmp_path / "probe.png")
    answer = cb.detect("sift-ransac", tmp_path / "probe.png", pair.donor)
    assert (answer.probe.shape, answer.donor.shape) == ((200, 300), (256, 256))
    masks = cb.detect(
        lambda probe, donor: (probe[:, 0] * 0 + 0.75, donor[:, 0]), pair.probe, pair.donor
    )
    assert (masks.probe == 0.75).all()
    picture = Image.fromarray(pair.probe)
    assert (cb.detect(three_quarters, picture, pair.donor).probe == 0.75).all()
    with pytest.raises(SourceError, match="probe: expected a uint8"):
        cb.detect("sift-ransac", pair.probe / 255, pair.donor)
    with pytest.raises(ModelError, match="sift-ransak"):
        cb.detect("sift-ransak", pair.probe, pair.donor)


def test_what_cannot_be_scored_is_refused(data: Path, tmp_path: Path) -> None:
    pairs = cb.open_pairs(data)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"limit": 0}, "limit: expected 1 or more"),
        ({"limit": -1}, "limit: expected 1 or more"),
        ({"batch_size": 0}, "batch_size: expected 1 or more"),
        ({"workers": -1}, "workers: expected 0 or more"),
        ({"threshold": 1.5}, "threshold: expected 0 to 1"),
        ({"precision": "fp8"}, "precision: expected fp32 or"),
        ({"name": "a/b"}, "--name"),
        ({"data": pairs[3:3]}, "training: expected pairs"),
        ({"data": []}, "data: expected sets"),
    ]
    for settings, message in wrong:
        with pytest.raises(CisdlError, match=message):
            cb.score("random", out=tmp_path, progress=False, **{"data": pairs, **settings})
    assert list(tmp_path.iterdir()) == []

    def no_pixels(probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor]:
        return probe[:, 0, :0, :0], donor[:, 0]

    with pytest.raises(ModelError, match="masks with pixels"):
        cb.score(no_pixels, pairs[:1], out=tmp_path, progress=False)


def test_two_functions_of_one_file_are_two_detectors(data: Path, tmp_path: Path) -> None:
    """They differ in their code alone, on one line, in a constant or in a name."""
    pairs = cb.open_pairs(data)[:1]
    several = [lambda p, d: (p[:, 0], d[:, 0]), lambda p, d: (p[:, 1], d[:, 0])]
    several += [lambda p, d: (p.amax(1), d[:, 0]), lambda p, d: (p.amin(1), d[:, 0])]
    for number, function in enumerate(several):
        if number:
            with pytest.raises(RunError, match="identity"):
                cb.score(function, pairs, out=tmp_path, name="mine", progress=False)
        cb.score(function, pairs, out=tmp_path, name="mine", progress=False, overwrite=True)
        cb.score(function, pairs, out=tmp_path, name="mine", progress=False)


def test_a_checkpoint_is_loaded_and_scored(data: Path, tmp_path: Path) -> None:
    from cisdl_bench.models.checkpoints.checkpoint import save_checkpoint
    from cisdl_bench.models.networks.registry import build

    torch.manual_seed(0)
    path = tmp_path / "small.pt"
    save_checkpoint(path, build("dmac", configuration={"width": 0.125}), {})
    checkpoint = cb.load_checkpoint(path)
    pairs = cb.open_pairs(data)[:2]
    held = cb.score(checkpoint, pairs, out=tmp_path / "a", progress=False)[0]
    named = cb.score(path, pairs, out=tmp_path / "b", progress=False)[0]
    assert held.detector == "dmac"
    assert held.frame().equals(named.frame())
    with pytest.raises(CisdlError, match="absent"):
        cb.load_checkpoint(tmp_path / "absent.pt")
