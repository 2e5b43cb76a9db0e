"""What is rendered, against exact copies, other libraries, and other processors."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from placing import matrix_by, place, spec_for
from skimage.transform import AffineTransform, warp

from cisdl_bench.generation.layers import change_pixels
from cisdl_bench.generation.render import cut_out, framed, plan_warp, render
from cisdl_bench.records import Region, cut_region
from cisdl_bench.transforms.jpeg import saved_as_jpeg
from cisdl_bench.transforms.matrix import inverse

SIZE = 128


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    return cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    made = np.zeros((SIZE, SIZE), dtype=np.uint8)
    cv2.ellipse(made, (50, 70), (30, 18), 20, 0, 360, 1, -1)
    made[0:9, 0:7] = 1  # touches the border
    return made


def rendered(picture, mask, **parameters: float) -> tuple[Region, np.ndarray]:
    frame = framed(picture)
    cut_out(frame, cut_region(mask))
    placement = place(mask, **parameters)
    spec = spec_for("combination", SIZE)
    warp = plan_warp(placement.matrix, placement.box, SIZE)
    return render(frame, warp, partial(change_pixels, spec, placement.parameters))


def test_unchanged_is_an_exact_copy(picture, mask) -> None:
    region, patch = rendered(picture, mask)
    assert np.array_equal(region.on_canvas(SIZE), mask != 0)
    assert np.array_equal(patch[region.bits], picture[mask != 0])
    assert not patch[~region.bits].any()


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (20, 11), (0, -0), (47, 30)])
def test_a_shift_is_an_exact_copy(picture, mask, dx: int, dy: int) -> None:
    region, patch = rendered(picture, mask, shift_x_px=dx, shift_y_px=dy)
    expected = np.zeros_like(mask)
    expected[dy:, dx:] = mask[: SIZE - dy, : SIZE - dx]
    assert np.array_equal(region.on_canvas(SIZE), expected != 0)
    assert np.array_equal(patch[region.bits], picture[mask != 0])


def test_luminance_is_added_and_clipped(picture, mask) -> None:
    for level in (32, -32, 1):
        _, patch = rendered(picture, mask, luminance=level)
        region, plain = rendered(picture, mask)
        expected = np.clip(plain.astype(int) + level, 0, 255)
        assert np.array_equal(patch[region.bits], expected[region.bits])


@pytest.mark.parametrize(
    "parameters",
    [
        {"rotation_deg": 17.0, "shift_x_px": 14, "shift_y_px": 9},
        {"scale": 1.3, "shift_x_px": 18, "shift_y_px": 16},
        {"width_factor": 1.4, "shift_x_px": 22},
        {
            "rotation_deg": -25.0,
            "scale": 1.1,
            "width_factor": 1.2,
            "shift_x_px": 30,
            "shift_y_px": 24,
        },
    ],
)
def test_agrees_with_scikit_image_where_nothing_shrinks(picture, mask, parameters) -> None:
    region, patch = rendered(picture, mask, **parameters)
    matrix = np.array(inverse(matrix_by(SIZE, **parameters)))
    # scikit-image counts from pixel centres, we from corners.
    matrix[:2, 2] += 0.5 * matrix[:2, :2].sum(axis=1) - 0.5
    to_donor = AffineTransform(matrix=matrix)
    expected = warp(picture, to_donor, order=1, mode="edge", preserve_range=True)
    share = warp(mask.astype(float), to_donor, order=1, mode="constant")
    inside = region.on_canvas(SIZE)
    differing = inside != (share >= 0.5)
    assert differing.mean() < 2e-3  # taps are 1/32 px apart
    assert np.abs(share[differing] - 0.5).max(initial=0) < 0.06
    error = np.abs(patch[region.bits].astype(float) - expected[inside])
    assert error.mean() < 0.6
    assert error.max() < 8


@pytest.mark.parametrize("factor", [0.5, 1 / 3, 0.25])
def test_shrinking_averages_what_falls_together(picture, factor: float) -> None:
    """By a whole number, about the centre: exactly the area average, no aliasing."""
    n = round(1 / factor)
    whole = np.ones((SIZE, SIZE), dtype=np.uint8)
    region, patch = rendered(picture, whole, scale=factor)
    start = SIZE // 2 - SIZE // 2 // n * n
    used = picture[start : SIZE - start, start : SIZE - start]
    side = used.shape[0] // n
    expected = used.reshape(side, n, side, n, 3).mean((1, 3))
    top = SIZE // 2 - side // 2 - region.box.top
    ours = patch[top : top + side, top : top + side]
    assert np.abs(ours - expected).max() <= 0.51


@pytest.mark.parametrize("side", ["width_factor", "height_factor"])
def test_shrinking_one_side_averages_along_it(picture, side: str) -> None:
    whole = np.ones((SIZE, SIZE), dtype=np.uint8)
    region, patch = rendered(picture, whole, **{side: 0.5})
    halves = picture.astype(float)
    if side == "width_factor":
        expected = (halves[:, ::2] + halves[:, 1::2]) / 2
        assert region.box == (0, SIZE // 4, SIZE, SIZE // 2)
    else:
        expected = (halves[::2] + halves[1::2]) / 2
        assert region.box == (SIZE // 4, 0, SIZE // 2, SIZE)
    assert np.abs(patch - expected).max() <= 0.51


def test_a_checkerboard_shrinks_to_grey(mask) -> None:
    board = np.indices((SIZE, SIZE)).sum(0) % 2 * 255
    picture = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    region, patch = rendered(picture, mask, scale=0.5, width_factor=0.6, rotation_deg=9)
    assert np.abs(patch[region.bits].astype(int) - 127).mean() < 25


def test_a_region_at_the_border_keeps_its_colours(picture) -> None:
    """Outside the donor there is no black that could bleed in."""
    mask = np.zeros((SIZE, SIZE), dtype=np.uint8)
    mask[:40, :40] = 1
    bright = np.full_like(picture, 200)
    _, patch = rendered(bright, mask, shift_x_px=40, shift_y_px=40, rotation_deg=13, scale=1.2)
    assert set(np.unique(patch)) == {0, 200}


def test_the_area_scales_as_it_should(picture, mask) -> None:
    for scale, width in ((0.5, 1.0), (0.7, 0.8), (1.2, 1.1)):
        region, _ = rendered(
            picture, mask, scale=scale, width_factor=width, shift_x_px=25, shift_y_px=22
        )
        expected = mask.sum() * scale**2 * width
        assert np.count_nonzero(region.bits) == pytest.approx(expected, rel=0.05)


def test_jpeg_is_lossy_and_repeatable(picture) -> None:
    once = saved_as_jpeg(picture, 75)
    assert np.array_equal(once, saved_as_jpeg(picture, 75))
    assert 0 < np.abs(once.astype(int) - picture).mean() < 12


PROBE = """
import hashlib, sys
import cv2, numpy as np
sys.path.insert(0, {tests!r})
from placing import place
from cisdl_bench.generation.render import cut_out, framed, plan_warp, render
from cisdl_bench.records import cut_region
rng = np.random.default_rng(0)
picture = cv2.blur(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8), (3, 3))
mask = np.zeros((256, 256), dtype=np.uint8)
mask[90:170, 80:190] = 1
frame = framed(picture)
cut_out(frame, cut_region(mask))
total = hashlib.sha256()
for k in range(40):
    u = rng.uniform([-9, -9, -30, .3, .5, .5], [9, 9, 30, 1.2, 1.1, 1]).tolist()
    names = "shift_x_px", "shift_y_px", "rotation_deg", "scale", "width_factor", "height_factor"
    corners = rng.uniform(-.15, .15, 2).tolist()
    for placement in (
        place(mask, **dict(zip(names, u))),
        place(mask, "perspective", top_left_x=corners[0], bottom_right_y=corners[1]),
    ):
        region, patch = render(frame, plan_warp(placement.matrix, placement.box, 256))
        total.update(region.bits.tobytes() + patch.tobytes())
print(total.hexdigest())
"""


def test_the_bytes_do_not_depend_on_the_processor() -> None:
    """The same with vector instructions switched off in OpenCV and numpy."""
    code = PROBE.format(tests=str(Path(__file__).parent.parent))
    plain = {
        "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,AVX,FP16,SSE4.2,SSE4.1",
        "OPENCV_IPP": "disabled",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX AVX2 FMA3 X86_V4 X86_V3",
        "PYTHONWARNINGS": "ignore",
    }
    shown = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **extra},
        ).stdout
        for extra in ({}, plain)
    ]
    assert len(shown[0].strip()) == 64
    assert shown[0] == shown[1]
