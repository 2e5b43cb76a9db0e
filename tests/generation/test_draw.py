"""The distribution of what is drawn, and what is admissible."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from placing import place
from scipy import stats

from cisdl_bench.generation.draw import PlacementRequest, area_class, draw_placements
from cisdl_bench.generation.outline import find_outline
from cisdl_bench.records import cut_region
from cisdl_bench.specs import SetSpec, load_spec

LEVEL = 1e-3  # of every Kolmogorov-Smirnov test below; the streams are fixed


def box_mask(size: int, top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros((size, size), dtype=np.uint8)
    mask[top : top + height, left : left + width] = 1
    return mask


def drawn(
    spec: SetSpec, mask: np.ndarray, n: int, area_range: tuple[float, float] = (0, 1)
) -> dict[str, np.ndarray]:
    """The first admissible parameters of n composites."""
    outline = find_outline(cut_region(mask))
    found = []
    for start in range(0, n, 100):
        numbers = range(start, min(start + 100, n))
        requests = [PlacementRequest(k, "test", outline, area_range) for k in numbers]
        for placements in draw_placements(spec, 3, requests):
            found += [placement.parameters for placement in itertools.islice(placements, 1)]
    assert len(found) == n
    return dict(zip(spec.parameters, np.array(found).T, strict=True))


SMALL = box_mask(256, 124, 124, 8, 8)  # at the centre: it stays whole under everything but shifts


@pytest.mark.parametrize(
    ("name", "column", "low", "high"),
    [
        ("rotation", "rotation_deg", -30, 30),
        ("scale", "scale", 0.5, 4),
        ("deformation", "width_factor", 0.5, 2),
    ],
)
def test_what_admissibility_does_not_cut_is_uniform(name, column, low, high) -> None:
    values = drawn(load_spec(name), SMALL, 2000)[column]
    assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > LEVEL


def test_luminance_is_uniform_over_whole_grey_levels() -> None:
    values = drawn(load_spec("luminance"), SMALL, 6500)["luminance"]
    counts = [int((values == level).sum()) for level in range(-32, 33)]
    assert sum(counts) == 6500
    assert stats.chisquare(counts).pvalue > LEVEL


def test_shift_is_uniform_over_the_positions_that_keep_the_region_whole() -> None:
    mask = box_mask(256, 10, 30, 50, 80)
    values = drawn(load_spec("shift"), mask, 4000)
    for column, low, high in (("shift_x_px", -30, 127), ("shift_y_px", -10, 127)):
        shifts = values[column]
        assert np.array_equal(shifts, np.rint(shifts))
        assert (shifts.min(), shifts.max()) == (low, high)
        counts = np.bincount((shifts - low).astype(int), minlength=high - low + 1)
        assert stats.chisquare(counts).pvalue > LEVEL


def test_a_cut_parameter_is_uniform_over_what_is_left() -> None:
    """A box of 128 px half-way to the border may grow to 1.5 at most; its area allows 1.4."""
    mask = box_mask(256, 64, 64, 128, 128)
    values = drawn(load_spec("scale"), mask, 2000, (0.0, 0.49))["scale"]
    assert stats.kstest(values, stats.uniform(0.5, 0.9).cdf).pvalue > LEVEL


def test_joint_draws_do_not_shrink_the_angles() -> None:
    """Given any angle, the region near the centre is admissible for the same share of shifts."""
    spec = load_spec("combination")
    values = drawn(spec, SMALL, 4000)
    turned = values["rotation_deg"] != 0
    assert turned.mean() == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 4000))
    angles = values["rotation_deg"][turned]
    assert np.abs(angles).mean() == pytest.approx(15, abs=0.6)


def test_every_switch_has_its_own_probability() -> None:
    spec = load_spec("combination")
    values = drawn(spec, SMALL, 4000)
    columns = ("rotation_deg", "scale", "luminance", "width_factor")
    table = np.stack([values[c] != spec.parameters[c].neutral for c in columns], axis=1) * 1.0
    table = np.concatenate([np.ones((4000, 1)), table], axis=1)
    table[:, 3] += stats.uniform.rvs(size=4000, random_state=0) < 0.5 / 65  # luminance may be 0
    assert (values["shift_x_px"] != 0).mean() > 0.99
    assert np.abs(table[:, 1:].mean(0) - 0.5).max() < 4 * np.sqrt(0.25 / 4000)
    assert np.abs(np.corrcoef(table[:, 1:].T) - np.eye(4)).max() < 0.07


def test_the_release_draws_reciprocals_and_either_side() -> None:
    factors = drawn(load_spec("release/scale"), box_mask(512, 240, 240, 30, 30), 3000)["scale"]
    grown, shrunk = factors[factors > 1], factors[factors < 1]
    assert len(grown) / 3000 == pytest.approx(0.5, abs=0.04)
    assert stats.kstest(grown, stats.uniform(1.1, 2.9).cdf).pvalue > LEVEL
    assert stats.kstest(1 / shrunk, stats.uniform(1.1, 2.9).cdf).pvalue > LEVEL
    values = drawn(load_spec("release/deformation"), box_mask(512, 240, 240, 30, 30), 3000)
    wide, high = values["width_factor"] != 1, values["height_factor"] != 1
    assert not (wide & high).any()
    assert wide.mean() == pytest.approx(0.5, abs=0.04)
    # From one number r in U(0, 1): the height times 1 / (2 r) for r >= 0.5, else the width times
    # r + 0.5.
    assert stats.kstest(values["width_factor"][wide], stats.uniform(0.5, 0.5).cdf).pvalue > LEVEL
    inverse = 1 / (2 * values["height_factor"][high])
    assert stats.kstest(inverse, stats.uniform(0.5, 0.5).cdf).pvalue > LEVEL


def test_the_release_turns_by_whole_degrees_and_shifts_over_the_whole_canvas() -> None:
    box = box_mask(512, 0, 0, 8, 8)
    angles = drawn(load_spec("release/rotation"), box_mask(512, 250, 250, 8, 8), 6100)
    counts = [int((angles["rotation_deg"] == degrees).sum()) for degrees in range(-30, 31)]
    assert sum(counts) == 6100
    assert stats.chisquare(counts).pvalue > LEVEL
    shifts = drawn(load_spec("release/shift"), box, 4000)["shift_x_px"]
    assert np.array_equal(shifts, np.rint(shifts))
    assert (shifts.min(), shifts.max()) == (0, 504)  # of +-512: the region stays whole


@pytest.mark.parametrize("size", [320, 255, 257, 64])
def test_shifts_are_whole_pixels_on_every_canvas(size: int) -> None:
    spec = replace(load_spec("shift"), size=size)
    most = round(127 * size / 256)
    middle = size // 2 - 2
    shifts = drawn(spec, box_mask(size, middle, middle, 4, 4), 1500)["shift_x_px"]
    assert np.array_equal(shifts, np.rint(shifts))
    assert shifts.min() >= -most
    assert shifts.max() <= most
    assert (shifts == 0).any()


def test_luminance_without_a_step_is_whole_in_the_row_too() -> None:
    spec = load_spec("luminance")
    free = replace(spec.transformations["luminance"], step=0.0)
    spec = replace(spec, transformations={**spec.transformations, "luminance": free})
    values = drawn(spec, SMALL, 500)["luminance"]
    assert np.array_equal(values, np.rint(values))
    assert len(np.unique(values)) > 50


def test_a_shift_grows_with_the_canvas() -> None:
    spec = replace(load_spec("shift"), size=512)
    values = drawn(spec, box_mask(512, 250, 250, 8, 8), 3000)
    assert values["shift_x_px"].min() < -245
    assert values["shift_x_px"].max() > 245


def test_everything_yielded_is_whole_and_in_its_class() -> None:
    spec = load_spec("combination")
    mask = box_mask(256, 60, 90, 90, 60)
    outline = find_outline(cut_region(mask))
    for k in range(50):
        request = PlacementRequest(k, "whole", outline, (0.01, 0.1))
        for placement in itertools.islice(draw_placements(spec, 1, [request])[0], 5):
            drawing = dict(zip(spec.parameters, placement.parameters, strict=True))
            assert min(placement.box) >= 0
            assert max(placement.box) <= 256
            assert placement == place(mask, **drawing)
            factor = drawing["scale"] ** 2 * drawing["width_factor"] * drawing["height_factor"]
            assert 0.01 < mask.sum() * factor / 256**2 <= 0.1


def test_tries_run_out() -> None:
    spec = load_spec("rotation")
    whole = np.ones((256, 256), dtype=np.uint8)
    request = PlacementRequest(0, "none", find_outline(cut_region(whole)), (0, 1))
    assert not list(draw_placements(spec, 0, [request])[0])


def test_a_request_gets_the_same_alone_and_among_others() -> None:
    spec = load_spec("combination")
    boxes = [box_mask(256, 20 + k, 60, 20 + 2 * k, 60) for k in range(40)]

    requests = [
        PlacementRequest(3 * k, "together", find_outline(cut_region(mask)), (0.01, 0.25))
        for k, mask in enumerate(boxes)
    ]
    together = [list(itertools.islice(p, 60)) for p in draw_placements(spec, 5, requests)]
    alone = [list(itertools.islice(draw_placements(spec, 5, [r])[0], 60)) for r in requests]
    assert together == alone
    assert all(together)


def test_classes_open_below_and_closed_above() -> None:
    classes = load_spec("raw").areas
    expected = {655: None, 656: "difficult", 6553: "difficult", 6554: "normal", 16384: "normal"}
    expected |= {16385: "easy", 32768: "easy", 32769: None, 0: None}
    assert {area: area_class(area, 256, classes) for area in expected} == expected


def test_classes_of_the_release_are_closed_below_and_open_above() -> None:
    spec = load_spec("release/raw")
    expected = {2621: None, 2622: "difficult", 26214: "difficult", 26215: "normal"}
    expected |= {65535: "normal", 65536: "easy", 131072: "easy", 131073: None}
    found = {area: area_class(area, 512, spec.areas, spec.closed) for area in expected}
    assert found == expected


def test_a_region_whose_area_is_not_known_is_left_to_its_rendered_mask() -> None:
    mask = box_mask(256, 100, 100, 40, 40)  # 2.4% of the canvas, asked for up to 0.1%
    request = PlacementRequest(0, "test", find_outline(cut_region(mask)), (0.0, 0.001))
    assert list(itertools.islice(draw_placements(load_spec("perspective"), 0, [request])[0], 1))
    assert not list(draw_placements(load_spec("rotation"), 0, [request])[0])
