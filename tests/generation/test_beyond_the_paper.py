"""Sets beyond the paper: blended borders, several regions and donors, look-alikes, JPEG."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Heard, change_coco, make, write_coco
from PIL import Image
from skimage.color import rgb2lab

from cisdl_bench.errors import SourceError, SpecError
from cisdl_bench.generation import jobs
from cisdl_bench.generation.compose import compose_range
from cisdl_bench.generation.draw import Placement
from cisdl_bench.generation.jobs import make_recipe_job
from cisdl_bench.generation.layers import Painting
from cisdl_bench.generation.plan import DrawnPlan
from cisdl_bench.generation.run import make_sets
from cisdl_bench.records import Box, Composite
from cisdl_bench.sources.coco import CocoSource, open_coco
from cisdl_bench.specs import SetSpec, load_spec, parse_spec
from cisdl_bench.store.folder import DataFolder
from cisdl_bench.store.summary import parameter_lines
from cisdl_bench.transforms.base import Layer
from cisdl_bench.transforms.colour_transfer import ColourTransfer
from cisdl_bench.transforms.feather import Feather
from cisdl_bench.transforms.jpeg import Jpeg
from cisdl_bench.transforms.matrix import IDENTITY
from cisdl_bench.transforms.poisson import Poisson
from cisdl_bench.transforms.resampling import Resampling

BEYOND = [
    "regions",
    "donors",
    "feather",
    "poisson",
    "colour",
    "jpeg",
    "resampling",
    "distractors",
]


class Canvas:
    """A source's pictures, decoded when they are asked for."""

    def __init__(self, source: CocoSource) -> None:
        self.source = source

    def has(self, position: int) -> bool:
        return True

    def read(self, position: int) -> np.ndarray:
        return self.source.load(position, 256, "bicubic")


def composed(
    source: CocoSource, spec: SetSpec, count: int = 12, difficulty: str = "normal"
) -> list[Composite]:
    plan = DrawnPlan(spec, 0, source, difficulty)
    return compose_range(plan, 0, count, Canvas(source))[0]


def picture(source: CocoSource, composite: Composite) -> np.ndarray:
    background = read(source, composite.background_id).copy()
    composite.paste_into(background)
    return background


def read(source: CocoSource, picture_id: int) -> np.ndarray:
    position = int(np.searchsorted(source.index.picture_id, picture_id))
    return source.load(position, 256, "bicubic")


def with_only(name: str, spec: SetSpec, **changes) -> SetSpec:
    """A set's spec with one transformation changed."""
    changed = {name: replace(spec.transformations[name], **changes)}
    return replace(spec, transformations={**spec.transformations, **changed})


@pytest.fixture(scope="module")
def plain(source: CocoSource) -> list[Composite]:
    """Composites of the set ``feather`` without a feather, in the paper's way."""
    spec = load_spec("feather")
    shift = {"shift": spec.transformations["shift"]}
    return composed(source, replace(spec, transformations=shift))


def assert_same(one: Composite, other: Composite) -> None:
    assert one.patch_box == other.patch_box
    assert one.opaque == other.opaque
    assert np.array_equal(one.patch, other.patch)
    assert np.array_equal(one.probe_mask.bits, other.probe_mask.bits)


@pytest.mark.parametrize("name", ["feather", "poisson", "colour_transfer", "jpeg", "resampling"])
def test_layers_without_a_change_are_the_papers_pasting(source, plain, name) -> None:
    spec = load_spec("colour" if name == "colour_transfer" else name)
    spec = with_only(name, replace(spec, name="feather"), probability=0.0)
    kept = {key: spec.transformations[key] for key in ("shift", name)}
    layered = composed(source, replace(spec, transformations=kept))
    assert len(layered) == len(plain) > 5
    for one, other in zip(layered, plain, strict=True):
        assert_same(one, other)


def test_layers_are_saved_in_the_sets_own_quality(source) -> None:
    spec = replace(load_spec("feather"), jpeg_quality=60)
    shift = {"shift": spec.transformations["shift"]}
    plainly = composed(source, replace(spec, transformations=shift), 4)
    layered = composed(source, with_only("feather", spec, probability=0.0), 4)
    for one, other in zip(layered, plainly, strict=True):
        assert np.array_equal(picture(source, one), picture(source, other))
        assert one.opaque


def test_a_feather_weighs_both_pictures_by_a_blurred_mask(source, plain) -> None:
    """Within rounding of the same mean in floating point."""
    spec = with_only("feather", load_spec("feather"), low=2.0, high=2.0)
    for soft, hard in zip(composed(source, spec), plain, strict=True):
        assert soft.opaque
        assert np.array_equal(soft.probe_mask.bits, hard.probe_mask.bits)
        mask = hard.probe_mask.on_canvas(256).astype(np.float64)
        weight = cv2.GaussianBlur(mask, (13, 13), 2, borderType=cv2.BORDER_REPLICATE)
        before, after = read(source, soft.background_id), picture(source, soft)
        sharp = picture(source, hard)
        inside = mask > 0
        mixed = before * (1 - weight[..., None]) + sharp * weight[..., None]
        assert np.abs(after - mixed)[inside].max() <= 3
        assert np.array_equal(after[weight < 1e-4], before[weight < 1e-4])
        fringe = ~inside & (weight > 0.2)
        assert (after[fringe] != before[fringe]).any()


def test_poisson_keeps_the_background_and_the_mask(source, plain) -> None:
    spec = replace(load_spec("poisson"), name="feather")
    for cloned, hard in zip(composed(source, spec, 4), plain, strict=False):
        mask = hard.probe_mask.on_canvas(256)
        assert np.array_equal(cloned.probe_mask.bits, hard.probe_mask.bits)
        after, before = picture(source, cloned), read(source, cloned.background_id)
        assert np.array_equal(after[~mask], before[~mask])
        assert (after[mask] != picture(source, hard)[mask]).mean() > 0.5


def test_poisson_has_the_donors_gradients_and_is_opencvs_seamless_clone() -> None:
    rng = np.random.default_rng(8)
    noise = rng.integers(0, 256, (2, 120, 120, 3), dtype=np.uint8)
    # Of little contrast, so that no level is clipped.
    donor, before = (
        cv2.normalize(cv2.GaussianBlur(p, (0, 0), 8), None, 90, 160, cv2.NORM_MINMAX) for p in noise
    )
    y, x = np.mgrid[:120, :120]
    mask = np.hypot(x - 60, y - 60) < 30
    layer = Layer(donor, mask, mask * np.uint8(255), before)
    whole = np.where(mask[..., None], Poisson(1.0).blend(layer, (1.0,)).pixels, before)
    curved = [cv2.Laplacian(p, cv2.CV_64F) for p in (whole, donor)]
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    # Equation 4; eight roundings of at most half a level, and half a level of the solver's.
    assert np.abs(curved[0] - curved[1])[inner].max() <= 5
    cloned = whole[mask].astype(float)
    # OpenCV's mask takes its border, one pixel more, from the background.
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) * 255
    expected = cv2.seamlessClone(donor, before, grown, (60, 60), cv2.NORMAL_CLONE)[mask]
    pasted = np.abs(donor[mask].astype(float) - expected).mean()
    assert np.abs(cloned - expected).mean() < min(2, 0.2 * pasted)


def test_colours_transferred_have_the_backgrounds_mean_and_spread() -> None:
    """By scikit-image's CIELAB, of a dull region on a lively background."""
    rng = np.random.default_rng(0)
    dull, lively = (
        np.clip(cv2.GaussianBlur(rng.normal(level, spread, (60, 60, 3)), (0, 0), 2), 0, 255)
        for level, spread in ((150, 60), (110, 250))
    )
    mask = np.zeros((60, 60), dtype=bool)
    mask[10:50, 5:45] = True
    pixels, under = dull.astype(np.uint8), lively.astype(np.uint8)
    layer = Layer(pixels, mask, mask * np.uint8(255), under)
    changed = ColourTransfer(1.0, 1, 1).blend(layer, (1.0,)).pixels
    first, after, wanted = (rgb2lab(picture)[mask] for picture in (pixels, changed, under))
    assert (wanted.std(axis=0) > 2 * first.std(axis=0)).all()
    assert np.abs(after.mean(axis=0) - wanted.mean(axis=0)).max() < 1.5
    assert np.abs(after.std(axis=0) / wanted.std(axis=0) - 1).max() < 0.1
    half = ColourTransfer(1.0, 0, 1).blend(layer, (0.5,)).pixels
    middle = (first.mean(axis=0) + wanted.mean(axis=0)) / 2
    assert np.abs(rgb2lab(half)[mask].mean(axis=0) - middle).max() < 1.5


def test_both_pictures_are_mixed_to_the_nearest_level() -> None:
    spec = load_spec("feather")
    under, over = (np.full((64, 64, 3), level, dtype=np.uint8) for level in (10, 201))
    painting = Painting(replace(spec, size=64), under)
    alpha = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64).astype(np.uint8)
    placement = Placement((0.0, 0.0, 0.0), IDENTITY, (0.0, 0.0, 64.0, 64.0))
    painting.paste(Layer(over, alpha > 127, alpha, under), Box(0, 0, 64, 64), placement)
    expected = np.rint((alpha * 201.0 + (255.0 - alpha) * 10) / 255)
    assert np.array_equal(painting.picture[..., 0], expected)


def test_rendered_areas_are_in_their_class(source) -> None:
    for name in ("resampling", "regions"):
        spec = replace(load_spec(name), further=None)
        composites = composed(source, spec, 150, "difficult")
        areas = np.array([c.probe_mask.bits.sum() for c in composites]) / 256**2
        assert len(areas) > 50
        assert ((areas > 0.01) & (areas <= 0.1)).all()


def test_a_jpeg_composite_is_the_pasted_one_saved_by_pillow(source, plain) -> None:
    spec = replace(load_spec("jpeg"), name="feather")
    saved = composed(source, spec)
    assert len({composite.parameters["jpeg_quality"] for composite in saved}) > 2
    for composite, hard in zip(saved, plain, strict=True):
        memory = BytesIO()
        quality = int(composite.parameters["jpeg_quality"])
        Image.fromarray(picture(source, hard)).save(memory, "jpeg", quality=quality)
        assert np.array_equal(picture(source, composite), np.asarray(Image.open(memory)))
        assert np.array_equal(composite.probe_mask.bits, hard.probe_mask.bits)


def test_resampled_twice_a_region_lies_where_it_did(source, plain) -> None:
    spec = replace(load_spec("resampling"), name="feather")
    kept = {key: spec.transformations[key] for key in ("shift", "resampling")}
    for twice, hard in zip(
        composed(source, replace(spec, transformations=kept)), plain, strict=True
    ):
        one, other = (c.probe_mask.on_canvas(256) for c in (twice, hard))
        assert (one & other).sum() / (one | other).sum() > 0.97
        both = cv2.erode((one & other).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        first, second = picture(source, twice)[both], picture(source, hard)[both]
        assert (first != second).mean() > 0.3
        # A shift of the whole by a pixel would differ by more than what smoothing takes away.
        moved = np.roll(picture(source, hard), 1, axis=1)[both].astype(float)
        assert np.abs(first.astype(float) - second).mean() < np.abs(moved - second).mean()


def test_several_regions_are_all_true_and_none_overlaps(coco_mini, tmp_path) -> None:
    source = open_coco(coco_mini, "val", tmp_path)
    spec = load_spec("regions")
    some = composed(source, spec, 30)
    assert len(some) > 4
    for composite in some:
        index = source.index
        areas = []
        for name in ("annotation_id", "annotation_id_2"):
            wanted = getattr(composite, name, None) or int(composite.parameters.get(name, 0))
            position = int(np.flatnonzero(index.annotation_id == wanted)[0])
            assert index.picture_id[index.find_picture(position)] == composite.donor_id
            donor = index.find_picture(position)
            areas.append(source.region(position, donor, 256).on_canvas(256))
        assert composite.parameters["donor_id_2"] == composite.donor_id
        assert not (areas[0] & areas[1]).any()
        assert np.array_equal(composite.donor_mask.on_canvas(256), areas[0] | areas[1])
        if all(composite.parameters[f"{p}{k}"] == n for p, n in NEUTRAL for k in ("", "_2")):
            assert composite.probe_mask.bits.sum() == composite.donor_mask.bits.sum()
        assert cv2.connectedComponents(composite.probe_mask.bits.astype(np.uint8))[0] >= 2


def test_no_instance_is_pasted_twice(source) -> None:
    plan = DrawnPlan(load_spec("regions"), 0, source, "easy")
    candidates = [c for c in plan.candidates(0, 100) if not isinstance(c, str)]
    assert len(candidates) > 50
    for candidate in candidates:
        ((donor, annotation),) = candidate.further
        assert donor == candidate.donor
        assert annotation != candidate.annotation


NEUTRAL = [("rotation_deg", 0.0), ("scale", 1.0)]


def test_regions_of_other_donors_are_pasted_and_not_in_the_masks(source) -> None:
    spec = load_spec("donors")
    alone = {c.index: c for c in composed(source, replace(spec, further=None))}
    composites = composed(source, spec)
    assert len(composites) > 5
    for composite in composites:
        first = alone[composite.index]
        assert np.array_equal(composite.probe_mask.bits, first.probe_mask.bits)
        assert composite.probe_mask.box == first.probe_mask.box
        other = int(composite.parameters["donor_id_2"])
        assert len({composite.donor_id, composite.background_id, other}) == 3
        changed = (picture(source, composite) != picture(source, first)).any(axis=2)
        share = changed.mean()
        assert 0.005 < share <= 0.25
        assert not (changed & composite.probe_mask.on_canvas(256)).any()


def categorised(root: Path) -> Path:
    """Synthetic pictures whose instances have one of three categories, in turn."""

    def change(table: dict) -> None:
        for number, annotation in enumerate(table["annotations"]):
            annotation["category_id"] = number % 3 if annotation["image_id"] % 20 else 7
        table["annotations"][-1]["category_id"] = 99

    write_coco(root)
    change_coco(root, change)
    return root


def test_distractors_show_the_regions_category(tmp_path) -> None:
    source = open_coco(categorised(tmp_path / "coco"), "val", tmp_path)
    index = source.index
    owners = np.repeat(index.picture_id, np.diff(index.first_annotation))
    composites = composed(source, load_spec("distractors"), 40)
    assert len({c.background_id for c in composites}) > 4
    for composite in composites:
        category = index.annotation_category[index.annotation_id == composite.annotation_id]
        shown = owners[index.annotation_category == category]
        assert composite.background_id in shown
        assert composite.background_id != composite.donor_id


def test_without_categories_there_are_no_distractors(coco, tmp_path) -> None:
    with pytest.raises(SourceError, match="no other picture shows the instance's category"):
        make(coco, tmp_path, "distractors")


@pytest.mark.parametrize("name", BEYOND)
def test_a_recipe_makes_the_same_set(tmp_path, monkeypatch, name: str) -> None:
    monkeypatch.setattr(jobs, "_BLOCK", 16)  # candidates, not 256
    root = categorised(tmp_path / "coco")
    write_coco(root, "train", seed=1)
    first = make(root, tmp_path / "one", name, pairs=8)[0]["fingerprint"]
    recipe = tmp_path / "recipe.csv"
    recipe.write_text("\n".join(parameter_lines(tmp_path / "one" / f"{name}-normal")) + "\n")
    job, fingerprint = make_recipe_job(recipe, lambda split: open_coco(root, split, tmp_path))
    plan, index = job.plan, job.plan.source.index
    rows, needed = plan.recipe.rows, index.picture_id[plan.pictures(0, 1)].tolist()
    further = [rows["donor_id_2"][0]] if "donor_id_2" in rows else []
    assert needed == [rows["donor_id"][0], rows["background_id"][0], *further]
    again = make_sets([job], DataFolder(tmp_path / "again"), Heard())[0]
    assert again["fingerprint"] == fingerprint == first


@pytest.mark.parametrize("name", ["feather", "colour", "poisson", "resampling"])
def test_the_bytes_are_those_without_the_processors_instructions(source, name: str) -> None:
    fast = composed(source, load_spec(name), 4)
    cv2.setUseOptimized(False)
    try:
        slow = composed(source, load_spec(name), 4)
    finally:
        cv2.setUseOptimized(True)
    for one, other in zip(fast, slow, strict=True):
        assert_same(one, other)


def test_background_pairs_do_not_go_with_regions_of_other_pictures() -> None:
    table = {key: v for key, v in load_spec("donors").as_dict().items() if v is not None}
    table["kinds"] = ["foreground", "background"]
    with pytest.raises(SpecError, match="mine: kinds: .*background"):
        parse_spec(table, "mine")
    table["kinds"] = ["foreground"]
    table["further"] = {"count": 0, "donor": "other"}
    with pytest.raises(SpecError, match="mine: further: count: expected 1 to 8, got 0"):
        parse_spec(table, "mine")


def test_a_wrong_blend_or_finish_is_refused_by_its_name(source) -> None:
    class Wrong(Feather):
        def blend(self, layer, values):
            return layer._replace(alpha=layer.alpha.astype(float))

    class Cut(Jpeg):
        def finish(self, picture, values):
            return picture[:-1]

    class Nowhere(Resampling):
        def first_size(self, values):
            return float("nan")

    wrong = (Wrong(1.0, 1, 2), "blend"), (Cut(1.0, (50,)), "finish")
    for kind, word in (*wrong, (Nowhere(1.0, 1, 2), "first_size")):
        shift = load_spec("feather").transformations["shift"]
        spec = replace(load_spec("feather"), transformations={"shift": shift, kind.name: kind})
        with pytest.raises(SpecError, match=rf"transformation {kind.name}: {word}: .* Correct "):
            composed(source, spec, 4)
