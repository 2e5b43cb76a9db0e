"""From candidates to composites: what is pasted, what is refused, and that all of it is counted."""

from pathlib import Path

import numpy as np
import pytest
from conftest import Heard, change_coco, make, write_coco

from cisdl_bench.generation import compose
from cisdl_bench.generation.compose import compose_range
from cisdl_bench.generation.plan import DrawnPlan
from cisdl_bench.records import Region, cut_region
from cisdl_bench.sources.coco import CocoSource, open_coco
from cisdl_bench.specs import load_spec, spec_text
from cisdl_bench.store import open_pairs


def spec_of(folder: Path, name: str, *changes: tuple[str, str]) -> str:
    """Write a spec with some of its text changed; return its path."""
    text = spec_text(name)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{name}.toml"
    path.write_text(text)
    return str(path)


def test_several_instances_of_one_donor_are_each_cut_out_by_their_own_mask(coco, tmp_path) -> None:
    """Pasted where it was and unchanged, a region covers the same pixels in both pictures."""
    spec = spec_of(
        tmp_path,
        "raw",
        ("visits = 1", "visits = 5"),
        ("by_difficulty = true", "by_difficulty = false"),
    )
    of = {split: open_coco(coco, split, tmp_path / "index") for split in ("train", "val")}
    from cisdl_bench.generation.jobs import make_set_jobs
    from cisdl_bench.generation.run import make_sets
    from cisdl_bench.store.folder import DataFolder

    set_jobs = make_set_jobs([spec], [], of.__getitem__, seed=0, pairs=60)
    make_sets(set_jobs, DataFolder(tmp_path), Heard())
    pairs = open_pairs(tmp_path / "raw")
    rows = pairs.rows
    same_donor = rows["donor_id"][1:] == rows["donor_id"][:-1]
    assert (same_donor & (rows["annotation_id"][1:] != rows["annotation_id"][:-1])).sum() > 10
    for pair in pairs:
        assert np.array_equal(pair.probe_mask, pair.donor_mask)
        assert np.array_equal(pair.probe[pair.probe_mask], pair.donor[pair.donor_mask])


def test_candidates_without_admissible_parameters_are_counted(coco, tmp_path) -> None:
    spec = spec_of(tmp_path, "shift", ("max_tries = 2000", "max_tries = 1"))
    counts = make(coco, tmp_path, spec, difficulty="easy", pairs=12)[0]["counts"]
    assert counts["refused"]["no admissible parameters in 1 tries"] > 0
    assert counts["candidates"] == counts["composites"] + sum(counts["refused"].values())


def test_an_instance_that_covers_no_pixel_of_the_canvas_is_counted(tmp_path) -> None:
    """One of three rows: a third of every canvas pixel, never one half."""
    root = write_coco(tmp_path / "coco", count=6)

    def striped(table: dict) -> None:
        sizes = {image["id"]: (image["height"], image["width"]) for image in table["images"]}
        for annotation in table["annotations"]:
            height, width = sizes[annotation["image_id"]]
            mask = np.zeros((height, width), dtype=np.uint8)
            mask[::3, : width // 2] = 1
            flat = mask.ravel(order="F")
            edges = np.flatnonzero(np.diff(flat, prepend=0, append=2))
            runs = np.diff(edges, prepend=0).tolist()
            annotation["segmentation"] = {"size": [height, width], "counts": runs}

    change_coco(root, striped)
    spec = spec_of(tmp_path, "raw", ("size = 256 ", "size = 32 "))
    plan = DrawnPlan(load_spec(spec), 0, open_coco(root, "val", tmp_path / "index"), "normal")
    _, refused, _ = compose_range(plan, 0, 6, _Whole(32))
    assert refused == {"instance covers no pixel of the canvas": 6}


class _Whole:
    """A canvas that has every picture, grey."""

    def __init__(self, size: int) -> None:
        self.size = size

    def has(self, position: int) -> bool:
        return True

    def read(self, position: int) -> np.ndarray:
        return np.full((self.size, self.size, 3), 128, dtype=np.uint8)


@pytest.mark.parametrize(("side", "made"), [(30, 0), (100, 12), (160, 0), (0, 0)])
def test_the_rendered_mask_decides_over_the_class(
    source: CocoSource, monkeypatch, side: int, made: int
) -> None:
    """Squares of 1.4%, 15%, 39% and 0% of the canvas, in a set of 10% to 25%."""

    def rendered(*_: object) -> tuple[Region, np.ndarray]:
        mask = np.zeros((256, 256), dtype=np.uint8)
        mask[:side, :side] = 1
        return cut_region(mask), np.zeros((side, side, 3), dtype=np.uint8)

    monkeypatch.setattr(compose, "render", rendered)
    plan = DrawnPlan(load_spec("raw"), 0, source, "normal")
    composites, refused, _ = compose_range(plan, 0, 12, _Whole(256))
    assert len(composites) == made
    assert sum(refused.values()) == 12 - made
