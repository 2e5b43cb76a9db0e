"""A transformation is one class: named in a spec, drawn, applied, recorded, plotted."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from conftest import make

from cisdl_bench.errors import SpecError
from cisdl_bench.generation.compose import compose_range
from cisdl_bench.generation.plan import DrawnPlan
from cisdl_bench.generation.shards import StoredCanvas
from cisdl_bench.records import FIXED_COLUMNS
from cisdl_bench.scoring.rows import row_columns
from cisdl_bench.specs import load_spec, parse_spec
from cisdl_bench.store import open_pairs
from cisdl_bench.store.layout import row_type
from cisdl_bench.transforms.base import Parameter, Transformation
from cisdl_bench.transforms.registry import TRANSFORMATIONS, all_parameters, collect


def test_every_transformation_is_found_and_no_column_is_used_twice() -> None:
    assert {"shift", "rotation", "scale", "luminance", "deformation"} < set(TRANSFORMATIONS)
    columns = [p.name for kind in TRANSFORMATIONS.values() for p in kind.parameters]
    assert len(columns) == len(set(columns)) == len(all_parameters())


@dataclass(frozen=True)
class Shear(Transformation):
    """Rows slide sideways."""

    name: ClassVar[str] = "shear"
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("shear", 0.0, -1.0, 1.0, "shear"),)
    numbers: ClassVar[int] = 1

    most: float

    def sample(self, u, size):
        return (2 * u - 1) * self.most

    def matrix(self, values, size):
        return (1.0, values[0], 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def with_shear(probability: float):
    spec = load_spec("combination")
    shear = Shear(probability, most=0.3)
    return replace(spec, transformations={**spec.transformations, "shear": shear})


@pytest.fixture
def canvas(made, source) -> StoredCanvas:
    return StoredCanvas(source, open_pairs(made / "combination-normal").pictures, 256)


def test_a_new_transformation_moves_regions_and_is_recorded(source, canvas) -> None:
    plan = DrawnPlan(with_shear(1.0), 0, source, "normal")
    composites, _, _ = compose_range(plan, 0, 40, canvas)
    assert len(composites) > 5
    assert all(list(c.parameters)[-1] == "shear" for c in composites)
    assert len({c.parameters["shear"] for c in composites}) == len(composites)


def test_a_transformation_that_is_off_changes_no_other_byte(source, canvas) -> None:
    plain = DrawnPlan(load_spec("combination"), 0, source, "normal")
    beside = DrawnPlan(with_shear(0.0), 0, source, "normal")
    first, second = (compose_range(plan, 0, 60, canvas) for plan in (plain, beside))
    assert first[1:] == second[1:]
    for one, other in zip(first[0], second[0], strict=True):
        assert {**one.parameters, "shear": 0.0} == other.parameters
        assert np.array_equal(one.patch, other.patch)
        assert np.array_equal(one.probe_mask.bits, other.probe_mask.bits)


@pytest.mark.parametrize("name", ["flip", "perspective"])
def test_the_sets_beyond_the_paper_have_what_they_are_named_for(coco, tmp_path, name) -> None:
    make(coco, tmp_path, name, difficulty="all", pairs=20)
    for difficulty in ("difficult", "normal", "easy"):
        pairs = open_pairs(tmp_path / f"{name}-{difficulty}")
        assert len(pairs) == 20
        own = [p.name for p in TRANSFORMATIONS[name].parameters]
        assert set(own) < set(pairs.parameters)
        strength = pairs.rows[name] if name == "perspective" else sum(pairs.rows[c] for c in own)
        assert (strength > 0).all()
        low, high = load_spec(name).areas[difficulty]
        share = pairs.rows["probe_area_px"] / 256**2
        assert ((share > low) & (share <= high)).all()


def test_settings_of_a_transformation_are_its_own() -> None:
    table = {**load_spec("flip").as_dict(), "transformations": {"flip": {"probability": 1}}}
    table = {key: value for key, value in table.items() if value is not None}
    assert parse_spec(table, "mine").transformations["flip"].axis == "either"
    table["transformations"] = {"flip": {"probability": 1, "axes": "horizontal"}}
    with pytest.raises(SpecError, match="mine: flip: .*got axes. Did you mean axis"):
        parse_spec(table, "mine")
    table["transformations"] = {"fliip": {"probability": 1}}
    with pytest.raises(SpecError, match="transformations: .*Did you mean flip"):
        parse_spec(table, "mine")


def test_the_fixed_columns_are_those_of_shards_and_rows() -> None:
    names = {*row_type([]).names, *row_columns([])}
    assert names <= FIXED_COLUMNS


def changed(**variables):
    return type("Changed", (Shear,), {"name": "changed", **variables})


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"name": "Not A Name"}, "name: expected lower-case"),
        ({"name": "scale"}, "scale is the name of (Scale|Changed)"),
        ({"parameters": (Parameter("label", 0, 0, 1),)}, "label is a column of every set"),
        ({"parameters": (Parameter("scale", 0, 0, 1),)}, "scale is a column of"),
        ({"parameters": (Parameter("a,b", 0, 0, 1),)}, "parameters: expected lower-case"),
        ({"parameters": (Parameter("a", -1, 0, 1),)}, "expected low <= neutral <= high"),
        ({"parameters": (Parameter("a", 0, 0, 1, caption="{:x}"),)}, "a: caption"),
    ],
)
def test_a_transformation_that_contradicts_the_others_is_refused(variables, text) -> None:
    kinds = [*TRANSFORMATIONS.values(), changed(**variables)]
    with pytest.raises(SpecError, match=rf"{text}.*Correct that class"):
        collect(kinds)


def raising(*_):
    raise ValueError("no idea")


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"sample": lambda self, u, size: np.array([0.1])}, "sample: expected the shape"),
        ({"sample": lambda self, u, size: u * np.nan}, "sample: shear: expected -1 to 1, got nan"),
        ({"sample": lambda self, u, size: u + 5}, "sample: shear: expected -1 to 1, got 5"),
        ({"sample": raising}, "sample or area_factor: ValueError: no idea"),
        ({"area_factor": raising}, "area_factor: ValueError: no idea"),
        ({"matrix": lambda self, values, size: ((1.0, 0.0, 0.0),)}, "matrix: "),
        ({"change_pixels": lambda self, patch, values: patch[..., 0]}, "change_pixels: expected"),
        ({"change_pixels": raising}, "change_pixels: ValueError: no idea"),
    ],
)
def test_code_that_is_wrong_is_named_in_a_line(source, canvas, variables, text) -> None:
    wrong = type("Wrong", (Shear,), variables)(1.0, most=0.3)
    spec = replace(load_spec("shift"), transformations={"shear": wrong})
    with pytest.raises(SpecError, match=f"transformation shear: .*{text}.*Correct Wrong"):
        compose_range(DrawnPlan(spec, 0, source, "normal"), 0, 40, canvas)


def test_another_version_of_a_transformation_is_another_spec() -> None:
    spec = with_shear(1.0)
    newer = type("Newer", (Shear,), {"version": 2})(1.0, most=0.3)
    other = replace(spec, transformations={**spec.transformations, "shear": newer})
    assert other.sha256 != spec.sha256
