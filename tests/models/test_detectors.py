from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cisdl_bench.errors import ModelError
from cisdl_bench.models.checkpoints.program import ForeignNetwork
from cisdl_bench.models.classical.registry import PAIR_DETECTORS, make_method
from cisdl_bench.models.classical.sift_ransac import SiftRansac
from cisdl_bench.models.detection import Detection, PairBatch, View
from cisdl_bench.models.detectors import NetworkDetector, PairDetector
from cisdl_bench.models.find import find_detector

FACTORY = """
import torch
class Means(torch.nn.Module):
    def forward(self, probe, donor):
        return probe.mean(1), donor.mean(1)
def network(): return Means()
def nothing(): return None
def three():
    return lambda p, d: (p[:, :1, ::2, ::2], d[:, :1], p.mean((1, 2, 3)))
"""


class Means(nn.Module):
    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor]:
        return probe.mean(1), donor.mean(1)


PAIR = torch.randint(0, 256, (2, 3, 3, 32, 40), dtype=torch.uint8)


def test_a_factory_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_here.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    found = find_detector("mine_here:network")
    assert isinstance(found, NetworkDetector)
    assert found.name == "mine_here.network"
    detection = found.network.detect(PAIR[0], PAIR[1])
    torch.testing.assert_close(detection.probe, PAIR[0].float().mean(1) / 255)
    three = find_detector("mine_here:three").network.detect(PAIR[0], PAIR[1])
    assert three.probe.shape == (3, 32, 40)
    assert three.score is not None
    for text, message in (
        ("mine_here:nothing", "expected a network or another callable, got NoneType"),
        ("mine_here:absent", "expected a factory 'absent' in mine_here"),
        ("no_such_module_at_all:x", "expected a module that can be imported"),
    ):
        with pytest.raises(ModelError, match=message):
            find_detector(text)


@pytest.mark.filterwarnings("ignore")
def test_programs_in_files(tmp_path: Path) -> None:
    script, export = tmp_path / "script.pt", tmp_path / "export.pt2"
    torch.jit.script(Means()).save(str(script))
    batch = torch.export.Dim("batch", min=1, max=64)
    example = torch.rand(2, 3, 32, 40), torch.rand(2, 3, 32, 40)
    program = torch.export.export(Means(), example, dynamic_shapes=({0: batch}, {0: batch}))
    torch.export.save(program, export)
    for path in (script, export):
        found = find_detector(str(path))
        assert isinstance(found, NetworkDetector)
        assert len(found.identity) == 64
        detection = found.network.detect(PAIR[0], PAIR[1])
        torch.testing.assert_close(detection.donor, PAIR[1].float().mean(1) / 255)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda p, d: p, "two masks, or two masks and a score"),
        (lambda p, d: (p.mean(1) * 2, d.mean(1)), "probabilities in 0 to 1, got 0"),
        (lambda p, d: (p.mean(1) + 2e-6, d.mean(1)), "probabilities in 0 to 1, got 0"),
        (lambda p, d: (p.mean(1) - 1, d.mean(1)), "probabilities in 0 to 1, got -1"),
        (lambda p, d: (p.mean(1) * np.nan, d.mean(1)), "probabilities in 0 to 1, got nan"),
        (lambda p, d: (p, d), r"masks \(3, h, w\) or \(3, 1, h, w\), got \(3, 3, 32, 40\)"),
        (lambda p, d: (p.mean(1)[:2], d.mean(1)), r"masks \(3, h, w\)"),
        (lambda p, d: (p.mean(1), d.mean(1), d.mean()), "3 scores, one a pair, got 1"),
        (lambda p, d: (p.mean(1).numpy(), d.mean(1)), "expected tensors, got ndarray"),
    ],
)
def test_a_wrong_answer_is_refused(answer: object, message: str) -> None:
    assert callable(answer)
    bright = torch.full((3, 3, 32, 40), 255, dtype=torch.uint8)
    bright[:, :, 0] = 0
    with pytest.raises(ModelError, match=message):
        ForeignNetwork(answer, "mine").detect(bright, bright)


def test_a_probability_that_was_rounded_is_taken() -> None:
    bright = torch.full((3, 3, 32, 40), 255, dtype=torch.uint8)
    rounded = ForeignNetwork(lambda p, d: (p.mean(1) + 5e-7, d.mean(1)), "mine")
    assert rounded.detect(bright, bright).probe.max() > 1


def test_what_is_none_of_these_is_refused() -> None:
    with pytest.raises(ModelError, match=r"got no such file\. Did you mean sift-ransac"):
        find_detector("sift-ransak")


def view(probe: np.ndarray, donor: np.ndarray, name: str = "x/1") -> View:
    return View(probe, donor, name, (probe[..., 0] > 9, donor[..., 0] > 9))


def test_reference_detectors() -> None:
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    pair, other_pair = (PairBatch.from_view(view(white, black, name)) for name in ("x/1", "x/2"))
    oracle, empty, random = (find_detector(n) for n in ("oracle", "empty", "random"))
    answer = oracle.detect(pair)
    assert (answer.probe.min(), answer.donor.max(), answer.score) == (1, 0, 1)
    assert empty.detect(pair).probe.max() == 0
    first, second, other = (random.detect(shown) for shown in (pair, pair, other_pair))
    assert (first.probe == second.probe).all()
    assert (first.probe != other.probe).any()
    assert 0.3 < first.probe.mean() < 0.7


def test_a_batch_is_its_pairs_one_by_one() -> None:
    rng = np.random.default_rng(0)
    views = [view(*rng.integers(0, 256, (2, 8, 6, 3), dtype=np.uint8), f"x/{k}") for k in range(3)]
    single = [PairBatch.from_view(each) for each in views]
    batch = PairBatch(
        torch.cat([pair.probe for pair in single]),
        torch.cat([pair.donor for pair in single]),
        tuple(each.name for each in views),
        tuple(torch.cat([pair.truth[side] for pair in single]) for side in (0, 1)),
    )
    for shown, expected in zip(batch.views(), views, strict=True):
        assert shown.name == expected.name
        assert (shown.probe == expected.probe).all()
        assert (shown.truth[1] == expected.truth[1]).all()
    for name in ("oracle", "random"):
        together = find_detector(name).detect(batch)
        for k, pair in enumerate(single):
            alone = find_detector(name).detect(pair)
            assert torch.equal(together.donor[k], alone.donor[0])
            assert together.score[k] == alone.score[0]


def photograph(seed: int) -> np.ndarray:
    from skimage.data import astronaut, coffee

    source = astronaut() if seed == 0 else coffee()[:, :400]
    return cv2.resize(source, (256, 256), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    ("angle", "scale", "shift"), [(0, 1.0, (20, -30)), (25, 1.0, (0, 10)), (-10, 0.7, (25, 0))]
)
def test_a_planted_copy_is_found(angle: float, scale: float, shift: tuple[int, int]) -> None:
    donor, background = photograph(0), photograph(1)
    mask = np.zeros((256, 256), np.uint8)
    cv2.ellipse(mask, (125, 90), (70, 60), 0, 0, 360, 1, -1)
    matrix = cv2.getRotationMatrix2D((125, 90), angle, scale) + np.array([[0, 0, 1]]) * np.array(
        [[shift[0]], [shift[1]]]
    )
    moved = cv2.warpAffine(mask, matrix, (256, 256))
    pasted = cv2.warpAffine(donor, matrix, (256, 256))
    probe = np.where(moved[..., None] > 0, pasted, background)
    found = SiftRansac.from_spec().detect_pair(View(probe, donor, "planted"))
    for answer, truth in ((found.probe, moved), (found.donor, mask)):
        called = answer > 0.5
        assert (called & (truth > 0)).sum() / (called | (truth > 0)).sum() > 0.7


def test_nothing_planted_and_flat_pictures_are_empty_answers() -> None:
    detector = SiftRansac.from_spec()
    flat = np.full((256, 256, 3), 128, np.uint8)
    assert detector.detect_pair(View(flat, flat, "flat")).probe.max() == 0
    unrelated = detector.detect_pair(View(photograph(0), photograph(1), "unrelated"))
    assert (unrelated.probe > 0.5).mean() < 0.02


@dataclass(frozen=True)
class Mine:
    """A method of a newcomer, whose answer is given."""

    answer: Callable[[View], object]
    name: str = "mine"
    identity: str = "mine 1"
    sees_truth: bool = False

    def detect_pair(self, view: View) -> Any:
        return self.answer(view)


WHOLE, HALF = np.zeros((8, 6), np.float32), np.zeros((4, 3), np.float32)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda view: view.prob, "a Detection, got AttributeError: .* no attribute 'prob'"),
        (lambda view: (WHOLE, WHOLE), "a Detection, got tuple"),
        (lambda view: None, "a Detection, got NoneType"),
        (
            lambda view: Detection(HALF, WHOLE),
            r"an array .*\(8, 6\), as a mask, got float32 \(4, 3\)",
        ),
        (lambda view: Detection(WHOLE, WHOLE.T), r"an array .*, got float32 \(6, 8\)"),
        (lambda view: Detection(WHOLE, None), "an array .*, got NoneType"),
        (lambda view: Detection(WHOLE, WHOLE, "high"), "a number or None as the score, got str"),
    ],
)
def test_a_methods_wrong_answer_is_one_line(answer: Callable[[View], object], message: str) -> None:
    batch = PairBatch.from_view(View(*np.zeros((2, 8, 6, 3), np.uint8), "raw/7"))
    with pytest.raises(ModelError, match=f"^mine: pair raw/7: expected {message}") as caught:
        PairDetector(Mine(answer)).detect(batch)
    assert "\n" not in str(caught.value)
    if "AttributeError" in message:
        assert isinstance(caught.value.__cause__, AttributeError)
        assert str(caught.value).endswith(f"at {__file__}, line {LINE}.")


LINE = Mine.detect_pair.__code__.co_firstlineno + 1


def test_masks_may_be_of_any_kind_of_number() -> None:
    batch = PairBatch.from_view(View(*np.zeros((2, 8, 6, 3), np.uint8), "raw/7"))
    detector = PairDetector(
        Mine(lambda _: Detection(np.eye(8, 6) > 0, np.eye(8, 6), np.float32(1)))
    )
    found = detector.detect(batch)
    assert found.probe.dtype == found.donor.dtype == torch.float32
    assert torch.equal(found.probe, found.donor)
    assert float(found.score[0]) == 1


@pytest.mark.parametrize("name", PAIR_DETECTORS)
def test_a_method_has_the_name_of_its_entry(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_method(name).name == name
    monkeypatch.setitem(PAIR_DETECTORS, "other", PAIR_DETECTORS[name])
    message = f"^PAIR_DETECTORS: other: expected a method of that name, got {name}"
    with pytest.raises(ModelError, match=message):
        make_method("other")
