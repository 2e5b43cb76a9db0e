import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from planted import planted

from cisdl_bench.cli.main import main
from cisdl_bench.models.checkpoints.checkpoint import save_checkpoint
from cisdl_bench.models.classical.registry import untrained_methods
from cisdl_bench.models.networks.registry import build


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A planted copy as two files of other sizes than the canvas, and the true masks."""
    folder = tmp_path_factory.mktemp("pair")
    view, (probe_mask, donor_mask) = planted(shift_x_px=31, shift_y_px=45)
    for name, picture, mask, size in (
        ("probe.png", view.probe, probe_mask, (640, 480)),
        ("donor.jpg", view.donor, donor_mask, (300, 500)),
    ):
        large = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / name), cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
        true = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(folder / f"{name[:5]}-true.png"), true)
    return folder


def test_masks_have_the_pictures_sizes_and_find_the_copy(pair: Path, tmp_path: Path) -> None:
    words = ("detect", pair / "probe.png", pair / "donor.jpg", "--model", "sift-ransac", "--json")
    shown = typed(*words, "-o", tmp_path / "d")
    assert shown.exit_code == 0, shown.output
    result = json.loads(shown.stdout)
    assert result["probability"] > 0.5
    for name in ("probe", "donor"):
        found = cv2.imread(result[f"{name}_mask"], cv2.IMREAD_UNCHANGED) > 127
        true = cv2.imread(str(pair / f"{name}-true.png"), cv2.IMREAD_UNCHANGED) > 0
        assert found.shape == true.shape
        assert (found & true).sum() / (found | true).sum() > 0.6
        assert result[f"share_of_{name}"] == pytest.approx(found.mean(), abs=0.01)
    drawn = cv2.imread(result["overlay"])
    widths = [round(640 * 512 / 480), round(300 * 512 / 500)]
    assert drawn.shape == (512, sum(widths) + 12, 3)
    # Probe left, donor right: what is not tinted is the picture.
    probe = cv2.resize(cv2.imread(str(pair / "probe.png")), (widths[0], 512))
    left = np.abs(drawn[:, : widths[0]].astype(int) - probe).mean(axis=2)
    assert np.median(left) < 12


def test_without_a_model_every_untrained_method_is_shown(pair: Path, tmp_path: Path) -> None:
    words = ("detect", pair / "probe.png", pair / "donor.jpg", "-o", tmp_path / "d")
    shown = typed(*words)
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    named = [line.split(": probability")[0] for line in lines[: len(untrained_methods())]]
    assert named == untrained_methods()
    assert {"luo-blocks", "zernike-blocks", "sift-ransac", "dense-field"} <= set(named)
    result = json.loads(typed(*words, "--json").stdout)
    assert set(result["methods"]) == set(untrained_methods())
    best = max(result["methods"].values(), key=lambda answer: answer["probability"])
    assert result["probability"] == best["probability"] > 0.5
    assert result["methods"][result["method"]]["probability"] == best["probability"]
    for name, answer in result["methods"].items():
        for side in ("probe", "donor"):
            own = cv2.imread(answer[f"{side}_mask"], cv2.IMREAD_UNCHANGED)
            assert Path(answer[f"{side}_mask"]).name == f"{name}-{side}-mask.png"
            assert (own > 127).mean() == pytest.approx(answer[f"share_of_{side}"], abs=0.01)
    same = (tmp_path / "d" / "probe-mask.png").read_bytes()
    assert same == (tmp_path / "d" / f"{result['method']}-probe-mask.png").read_bytes()
    sheet = cv2.imread(result["overlay"])
    assert sheet.shape[0] == len(named) * (320 + 22)


def test_a_network_looks_too(pair: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "n.pt", build("dmac-det", configuration={"width": 0.125}), {})
    words = ("detect", pair / "probe.png", pair / "donor.jpg", "--model", tmp_path / "n.pt")
    shown = typed(*words, "-o", tmp_path / "d")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("probability 0.")
    assert "n on cpu" in shown.stderr
    found = cv2.imread(str(tmp_path / "d" / "donor-mask.png"), cv2.IMREAD_UNCHANGED)
    assert found.shape == (500, 300)


def test_what_is_wrong_is_one_line(pair: Path, tmp_path: Path) -> None:
    gone = typed("detect", pair / "gone.png", pair / "donor.jpg", "-o", tmp_path / "d")
    assert gone.exit_code == 2
    assert "gone.png: expected a picture, got no such file" in gone.stderr
    odd = typed("detect", pair / "probe.png", pair / "donor.jpg", "--model", "sift-ransak")
    assert "Did you mean sift-ransac" in odd.stderr
    assert not (tmp_path / "d").exists()
