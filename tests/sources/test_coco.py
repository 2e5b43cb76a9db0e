from pathlib import Path

import numpy as np
import pytest
from conftest import change_coco, write_coco
from pycocotools.coco import COCO

from cisdl_bench.errors import SourceError
from cisdl_bench.sources.coco import CocoSource, open_coco
from cisdl_bench.sources.find import find_source


def test_opens_a_folder(source: CocoSource) -> None:
    assert source.name == "val2014"
    assert source.load(0, 64, "bicubic").shape == (64, 64, 3)
    assert source.notes == ()
    assert source.as_dict()["pictures"] == 14


@pytest.mark.parametrize(
    ("remove", "text"),
    [
        ("annotations", "expected a COCO folder with annotations/instances_.*no annotations fold"),
        ("val2014", "val2014: expected the folder of the pictures, got none"),
        ("annotations/instances_val2014.json", r"expected instances_val2014.json .*, got none"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, remove: str, text: str) -> None:
    root = write_coco(tmp_path / "coco", count=2)
    (root / remove).rename(tmp_path / "away")
    with pytest.raises(SourceError, match=text):
        open_coco(root, "val", tmp_path / "index")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone: expected a COCO folder .*got no such folder"):
        open_coco(tmp_path / "gone", "val", tmp_path / "index")


def test_another_year_stands_in_and_says_so(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco", count=2)
    (root / "val2014").rename(root / "val2017")
    annotations = root / "annotations"
    (annotations / "instances_val2014.json").rename(annotations / "instances_val2017.json")
    source = open_coco(root, "val", tmp_path / "index")
    assert source.name == "val2017"
    assert source.notes == ("val2017 stands in for val2014: not the paper's pictures",)
    (annotations / "instances_val2015.json").write_text("{}")
    with pytest.raises(SourceError, match=r"instances_val2015.json, instances_val2017.json"):
        open_coco(root, "val", tmp_path / "index")


def test_the_variable_is_used_and_never_replaced(coco: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CISDL_COCO", str(coco))
    assert find_source(None, "val", tmp_path).pictures.parent == coco
    monkeypatch.setenv("CISDL_COCO", str(tmp_path / "gone"))
    with pytest.raises(SourceError, match="gone: expected a COCO folder"):
        find_source(None, "val", tmp_path)
    assert find_source(coco, "val", tmp_path).pictures.parent == coco


def test_masks_fit_pycocotools_at_full_size(coco_mini: Path, tmp_path: Path, capsys) -> None:
    """Against annToMask averaged over each canvas pixel's area and cut at one half."""
    import cv2

    source = open_coco(coco_mini, "val", tmp_path)
    index = source.index
    reference = COCO(str(coco_mini / "annotations" / "instances_val2014.json"))
    overlaps = {False: [], True: []}
    for a in range(len(index.annotation_id)):
        full = reference.annToMask(reference.anns[int(index.annotation_id[a])])
        expected = cv2.resize(full * 255, (256, 256), interpolation=cv2.INTER_AREA) >= 128
        if expected.mean() < 0.01:
            continue
        mask = source.region(a, index.find_picture(a), 256).on_canvas(256)
        rle = bool(index.annotation_is_rle[a])
        overlaps[rle].append((mask & expected).sum() / (mask | expected).sum())
    assert len(overlaps[False]) > 500
    assert np.mean(overlaps[False]) > 0.985
    assert min(overlaps[True]) == 1.0


def test_a_polygon_on_whole_pixels_is_exact(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco", count=2)

    def square(table: dict) -> None:
        table["images"][0].update(width=64, height=64)
        shapes = [
            [[8, 8, 24, 8, 24, 40, 8, 40]],
            [[8, 8, 16, 8, 16, 16, 8, 16], [32, 32, 40, 32, 40, 40, 32, 40]],
        ]
        for entry, shape in zip(table["annotations"], shapes, strict=False):
            entry["segmentation"] = shape

    change_coco(root, square)
    source = open_coco(root, "val", tmp_path / "index")
    mask = source.region(0, 0, 64).on_canvas(64)
    assert mask.sum() == 16 * 32
    assert mask[8:40, 8:24].all()
    assert source.region(1, 0, 64).bits.sum() == 2 * 64
    assert source.region(0, 0, 128).bits.sum() == 4 * 16 * 32
