import numpy as np
import pytest

from cisdl_bench.errors import CisdlError
from cisdl_bench.scoring.perturb import Perturbation, parse_perturbations

PICTURE = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)


@pytest.mark.parametrize("text", ["jpeg:70", "blur:1.5", "noise:5", "resize:0.5"])
def test_a_step_changes_a_picture_and_does_so_again(text: str) -> None:
    (step,) = parse_perturbations(text)
    first, again = step.apply(PICTURE, "a"), step.apply(PICTURE, "a")
    assert first.shape == PICTURE.shape
    assert first.dtype == np.uint8
    assert (first == again).all()
    assert (first != PICTURE).mean() > 0.5


def test_noise_has_its_deviation_and_differs_from_pair_to_pair() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    step = Perturbation((("noise", 5.0),))
    first, other = step.apply(grey, "set/1"), step.apply(grey, "set/2")
    # Rounding to whole levels adds 1/12; of 120,000 draws the deviation is known to 0.5%.
    assert (first - 128.0).std() == pytest.approx(np.sqrt(25 + 1 / 12), rel=0.01)
    assert (first - 128.0).mean() == pytest.approx(0, abs=0.06)
    assert (first != other).mean() > 0.8


def test_blur_keeps_the_mean_and_takes_variance() -> None:
    blurred = Perturbation((("blur", 2.0),)).apply(PICTURE, "")
    assert blurred.mean() == pytest.approx(PICTURE.mean(), abs=2)
    assert blurred.std() < 0.3 * PICTURE.std()


def test_steps_follow_each_other() -> None:
    both = Perturbation((("blur", 2.0), ("jpeg", 50.0)))
    by_hand = Perturbation((("jpeg", 50.0),)).apply(
        Perturbation((("blur", 2.0),)).apply(PICTURE, ""), ""
    )
    assert (both.apply(PICTURE, "") == by_hand).all()
    assert Perturbation().apply(PICTURE, "") is PICTURE


@pytest.mark.parametrize("text", ["jpg:70", "jpeg", "jpeg:0", "jpeg:x", "blur:-1", "noise:nan", ""])
def test_what_is_no_step_is_refused(text: str) -> None:
    with pytest.raises(CisdlError, match=r"expected a step and its strength \(jpeg:1-100"):
        parse_perturbations(text)
