import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from planted import planted

from cisdl_bench.cli.main import main
from cisdl_bench.models.checkpoint import save_checkpoint
from cisdl_bench.models.networks import build


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
    shown = typed("detect", pair / "probe.png", pair / "donor.jpg", "-o", tmp_path / "d", "--json")
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
    assert drawn.shape == (512, round(300 * 512 / 500) + 12 + round(640 * 512 / 480), 3)


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
