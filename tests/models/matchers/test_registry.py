"""``matcher:NAME``: from what is typed to a detector; the packages behind it are stand-ins."""

import json
import sys
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from planted import planted
from torch import nn

from cisdl_bench.errors import ModelError
from cisdl_bench.models.catalogue import list_models
from cisdl_bench.models.detection import PairBatch, View
from cisdl_bench.models.detectors import DeviceMatcherDetector, PairDetector, rename_detector
from cisdl_bench.models.find import find_detector, open_network
from cisdl_bench.models.matchers import opencv
from cisdl_bench.models.matchers.registry import MATCHERS, MatcherSpec, matcher_names, run_name

HAS_AKAZE = hasattr(cv2, "AKAZE_create") or hasattr(
    getattr(cv2, "xfeatures2d", None), "AKAZE_create"
)
VIEW, TRUTH = planted(shift_x_px=31, shift_y_px=45, rotation_deg=12.0)


@pytest.mark.parametrize(
    "name",
    [
        "sift",
        "orb",
        pytest.param("akaze", marks=pytest.mark.skipif(not HAS_AKAZE, reason="OpenCV 5")),
    ],
)
def test_opencvs_matchers_find_a_planted_copy(name: str) -> None:
    detector = find_detector(f"matcher:{name}")
    assert isinstance(detector, PairDetector)
    assert detector.name == f"matcher.{name}"
    answer = detector.detect(PairBatch.from_view(VIEW))
    for mask, truth in zip((answer.probe[0] > 0.5, answer.donor[0] > 0.5), TRUTH, strict=True):
        both = mask.numpy()
        assert (both & truth).sum() / (both | truth).sum() > 0.6
    flat = np.full((40, 50, 3), 90, dtype=np.uint8)
    assert not detector.detect(PairBatch.from_view(View(flat, flat, "flat"))).probe.any()


def test_sift_ransac_is_the_matcher_sift() -> None:
    batch = PairBatch.from_view(VIEW)
    answers = [find_detector(name).detect(batch) for name in ("sift-ransac", "matcher:sift")]
    overlap = (answers[0].donor > 0.5) & (answers[1].donor > 0.5)
    assert overlap.sum() > 0.99 * (answers[0].donor > 0.5).sum()
    assert find_detector("matcher:sift").identity != find_detector("sift-ransac").identity


def test_matches_choose_each_other_and_pass_the_ratio_test() -> None:
    donor = np.array([[0, 0], [10, 0], [20, 0], [30, 0]], dtype=np.float32)
    probe = np.array([[30.5, 0], [0, 1], [20, 4], [20, -4.5], [10, 3], [10, 60]], dtype=np.float32)
    first, second = opencv.mutual_matches(donor, probe, cv2.NORM_L2, 0.8)
    # The third has two alike; the others choose and are chosen.
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 1), (1, 4), (3, 0)]
    doubled = np.concatenate([[[0.5, 0]], donor]).astype(np.float32)
    first, second = opencv.mutual_matches(doubled, probe, cv2.NORM_L2, 0.8)
    assert 0 not in first.tolist()  # the probe's point chooses the nearer of both
    assert 1 in first.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("matcher:orbb", r"matcher:orbb: expected a matcher: sift, .* Did you mean matcher:orb\."),
        ("orb", r"orb: expected .* Did you mean matcher:orb\."),
        ("matcher:", "matcher:: expected a matcher: .*no name"),
        ("matcher:sift@projective", "matcher:sift@projective: expected a map .* got 'projective'"),
    ],
)
def test_a_wrong_name_is_one_line(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=f"^{message}") as caught:
        find_detector(text)
    assert "\n" not in str(caught.value)


def test_an_opencv_without_a_feature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "ORB_create")
    with pytest.raises(ModelError, match=r"^matcher:orb: OpenCV .* has no ORB\. Install opencv"):
        find_detector("matcher:orb")


def test_a_homography_is_asked_for_by_its_name() -> None:
    plain, tilted = find_detector("matcher:orb"), find_detector("matcher:orb@homography")
    assert tilted.name == "matcher.orb@homography"
    assert tilted.method.regions == replace(plain.method.regions, map="homography")
    assert tilted.identity != plain.identity


def test_a_matcher_is_no_network() -> None:
    with pytest.raises(ModelError, match="expected a network"):
        open_network("matcher:orb")


def test_every_matcher_is_listed(tmp_path: Any) -> None:
    listed = {m.name: m for m in list_models(tmp_path) if m.kind == "matcher"}
    assert set(listed) == {*matcher_names(), "matcher:vismatch/NAME"}
    assert all(m.title and m.source and m.licence for m in listed.values())
    assert listed["matcher:orb"].run == run_name("matcher:orb") == "matcher.orb"


@dataclass(frozen=True)
class Told:
    """A matcher that is told where points lie, and on which device it is."""

    matches: Any
    device: str = "nowhere"
    identity: str = "told 1"

    def to(self, device: str) -> "Told":
        return replace(self, device=device)

    def match(self, donor: np.ndarray, probe: np.ndarray) -> Any:
        assert self.device == "cpu"
        return self.matches


def make_told(name: str) -> Told:
    x, y = np.meshgrid(np.arange(80, 160, 9), np.arange(40, 130, 9))
    donor = np.stack([x.ravel(), y.ravel()], axis=1).astype(float)
    assert name == "told"
    return Told((donor, donor + np.array([31, 45])))


def test_a_matcher_on_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    from cisdl_bench.models.matchers import registry

    place = f"{make_told.__module__}:make_told"
    monkeypatch.setitem(MATCHERS, "told", MatcherSpec(place, needs_device=True))
    table = registry.read_parameters("matcher")
    monkeypatch.setattr(registry, "read_parameters", lambda _: {**table, "told": {"name": "told"}})
    detector = find_detector("matcher:told")
    assert isinstance(detector, DeviceMatcherDetector)
    assert detector.needs_device
    assert "told 1" in detector.identity
    view, truth = planted(shift_x_px=31, shift_y_px=45)
    batch = PairBatch.from_view(view)
    answer = detector.prepare("cpu").detect(PairBatch(batch.probe, batch.donor))
    mask = answer.donor[0].numpy() > 0.5
    assert (mask & truth[1]).sum() / (mask | truth[1]).sum() > 0.7
    assert rename_detector(detector, "mine").name == "mine"
    for asked, flag in (({"window": 64}, "--window"), ({"compiled": True}, "--compile")):
        with pytest.raises(ModelError, match=f"^{flag} is for networks"):
            detector.prepare("cpu", **asked)


class Stub(nn.Module):
    """What vismatch's ``get_matcher`` returns, with random weights: a shift that it is told."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device, self.layer = device, nn.Linear(2, 2)

    def forward(self, first: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
        assert first.shape == second.shape == (3, 256, 256)
        assert first.dtype == np.float32
        assert 0.5 < first.max() <= 1
        points, moved = make_told("told").matches
        return {"matched_kpts0": points.astype(np.float32), "matched_kpts1": moved}


def make_vismatch_module(made: list[tuple[str, str]]) -> ModuleType:
    def get_matcher(name: str, device: str) -> Stub:
        print("what vismatch prints")
        if name == "far":
            raise OSError("no route to the hub")
        made.append((name, device))
        return Stub(device)

    module = ModuleType("vismatch")
    module.__dict__.update(
        available_models=["near", "far"], __version__="1.4.0", get_matcher=get_matcher
    )
    return module


def test_vismatch_by_a_stand_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[tuple[str, str]] = []
    monkeypatch.setitem(sys.modules, "vismatch", make_vismatch_module(made))
    torch.manual_seed(0)
    detector = find_detector("matcher:vismatch/near")
    assert detector.name == "matcher.vismatch.near"
    view, truth = planted(shift_x_px=31, shift_y_px=45)
    answer = detector.prepare("cpu").detect(PairBatch.from_view(view))
    mask = answer.probe[0].numpy() > 0.5
    assert (mask & truth[0]).sum() / (mask | truth[0]).sum() > 0.7
    assert find_detector("matcher:vismatch/near").identity != detector.identity  # other weights
    detector.prepare("meta")
    assert made == [("near", "cpu"), ("near", "cpu"), ("near", "meta")]
    with pytest.raises(ModelError, match=r"its weights .* got OSError: no route to the hub\. Run"):
        find_detector("matcher:vismatch/far")
    with pytest.raises(ModelError, match=r"expected one of vismatch's 2 .* Did you mean near"):
        find_detector("matcher:vismatch/naer")
    assert json.dumps(capsys.readouterr().out) == '""'
    monkeypatch.setitem(sys.modules, "vismatch", None)
    with pytest.raises(ModelError, match=r"vismatch .*Install it: pip install .*\[vismatch\]"):
        find_detector("matcher:vismatch/near")
