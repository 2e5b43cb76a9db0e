import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from cisdl_bench.errors import SourceError
from cisdl_bench.sources import json_stream
from cisdl_bench.sources.index import open_index
from cisdl_bench.sources.index_build import build_index, cached_index

SQUARE = [10, 10, 30, 10, 30, 20, 10, 20]


def write(path: Path, annotations: list, images: list | None = None, **more: object) -> Path:
    images = images or [{"id": 5, "file_name": "five.jpg", "width": 40, "height": 30}]
    path.write_text(json.dumps({**more, "images": images, "annotations": annotations}))
    return path


def outline(key: int, shape: object, owner: int = 5) -> dict:
    return {"id": key, "image_id": owner, "segmentation": shape}


@pytest.mark.parametrize("split", ["train", "val"])
def test_agrees_with_pycocotools_on_real_annotations(coco_mini: Path, split: str, capsys) -> None:
    path = coco_mini / "annotations" / f"instances_{split}2014.json"
    index, reference = build_index(path), COCO(str(path))
    assert index.picture_id.tolist() == sorted(reference.imgs)
    assert sorted(index.annotation_id.tolist()) == sorted(reference.anns)
    for p in range(len(index)):
        image = reference.imgs[int(index.picture_id[p])]
        assert index.file_name(p) == image["file_name"]
        assert (index.picture_width[p], index.picture_height[p]) == (
            image["width"],
            image["height"],
        )
        for a in range(index.first_annotation[p], index.first_annotation[p + 1]):
            entry = reference.anns[int(index.annotation_id[a])]
            assert entry["image_id"] == image["id"]
            assert index.find_picture(a) == p
            shape = entry["segmentation"]
            if isinstance(shape, dict):
                assert index.annotation_is_rle[a]
                runs = index.parts(a)[0][2:].astype(int).tolist()
                assert runs[: len(shape["counts"])] == shape["counts"]
                area = int(reference.annToMask(entry).sum())
                assert index.annotation_area[a] == area
            else:
                assert [part.tolist() for part in index.parts(a)] == shape


def test_areas_and_order_by_hand(tmp_path: Path) -> None:
    images = [
        {"id": 9, "file_name": "nine.jpg", "width": 40, "height": 30},
        {"id": 5, "file_name": "fünf.jpg", "width": 40, "height": 30, "group": 2},
    ]
    triangle = [0, 0, 6, 0, 0, 4]
    rle = {"size": [30, 40], "counts": [10, 5, 1185]}
    annotations = [
        outline(1, [SQUARE], owner=9),
        outline(2, [SQUARE, triangle]),
        outline(3, rle),
    ]
    index = build_index(write(tmp_path / "a.json", annotations, images))
    assert index.picture_id.tolist() == [5, 9]
    assert index.picture_group.tolist() == [2, 9]
    assert index.file_name(0) == "fünf.jpg"
    assert index.annotation_id.tolist() == [2, 3, 1]
    assert index.annotation_area.tolist() == [200 + 12, 5, 200]
    assert index.area_frac().tolist() == [212 / 1200, 5 / 1200, 200 / 1200]


def test_a_compressed_run_length_mask_is_the_same_mask(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for first in (0, 1):
        pixels = (rng.random((30, 40)) < 0.4).astype(np.uint8)
        pixels[0, 0] = first
        packed = coco_mask.encode(np.asfortranarray(pixels))
        shape = {"size": [30, 40], "counts": packed["counts"].decode()}
        index = build_index(write(tmp_path / f"{first}.json", [outline(1, shape)]))
        runs = index.parts(0)[0][2:].astype(int)
        flat = np.repeat(np.arange(len(runs)) % 2, runs)
        assert np.array_equal(flat.reshape(40, 30).T, pixels)
        assert index.annotation_area[0] == pixels.sum()


BAD = {
    "polygon of fewer than three points": [[1, 1, 9, 9]],
    "no outline": [],
    "area 0": [[1, 1, 5, 5, 9, 9]],
    "outside picture": [[50, 1, 60, 1, 60, 9]],
    "RLE does not fill its picture": {"size": [30, 40], "counts": [3, 4]},
    "RLE of another size than its picture": {"size": [40, 30], "counts": [3, 4, 1193]},
    "segmentation is neither polygons nor RLE": [["a", "b", "c", "d", "e", "f"]],
    "a coordinate is no finite number": [[1, 1, 9, float("nan"), 9, 9]],
    "a corner far outside its picture": [[1, 1, 9e9, 1, 9, 9]],
}


def test_bad_annotations_are_skipped_counted_and_listed(tmp_path: Path) -> None:
    annotations = [outline(k, shape) for k, shape in enumerate(BAD.values())]
    annotations += [outline(50, [SQUARE], owner=77), outline(51, [SQUARE])]
    images = [
        {"id": 5, "file_name": "five.jpg", "width": 40, "height": 30},
        {"id": 6, "file_name": "six.jpg", "width": 40, "height": 30},
        {"id": 6, "file_name": "again.jpg", "width": 40, "height": 30},
        {"id": 7, "file_name": "seven.jpg", "width": 0, "height": 30},
    ]
    index = build_index(write(tmp_path / "a.json", annotations, images))
    assert index.annotation_id.tolist() == [51]
    expected = {f"annotation: {reason}": 1 for reason in (*BAD, "no such picture")}
    expected |= {
        "picture: id occurs twice": 1,
        "picture: no size": 1,
        "picture: no annotation (never a donor)": 0,
    }
    assert index.info["counts"] == expected
    listed = {(what, key): reason for what, key, reason in index.skipped}
    assert listed[("annotation", 50)] == "no such picture"
    assert all(listed["annotation", k] == reason for k, reason in enumerate(BAD))


HUGE = {"size": [200_000, 200_000], "counts": "52"}


def test_run_lengths_that_claim_a_huge_picture_are_skipped_without_making_room(
    tmp_path: Path,
) -> None:
    shapes = [HUGE, {**HUGE, "size": [30, 40]}, {"size": [30, 40], "counts": "\x7f"}]
    shapes += [{"size": [30, 40], "counts": "T"}, {"size": [30.5, 40], "counts": [1220]}]
    index = build_index(write(tmp_path / "a.json", [outline(k, s) for k, s in enumerate(shapes)]))
    reasons = {key: reason for what, key, reason in index.skipped if what == "annotation"}
    assert reasons[0] == "RLE of another size than its picture"
    assert reasons[1] == "RLE does not fill its picture"
    assert {reasons[k] for k in (2, 3, 4)} == {"segmentation is neither polygons nor RLE"}


def test_numbers_that_are_not_whole_or_too_large_are_skipped_each_by_its_reason(
    tmp_path: Path,
) -> None:
    picture = {"id": 5, "file_name": "five.jpg", "width": 40, "height": 30}
    odd = [
        ({"id": 0.5}, "id is no whole number"),
        ({"id": 2**70}, "id is no whole number"),
        ({"id": 6, "width": float("inf")}, "no size"),
        ({"id": 7, "width": 2**40}, "more than 268,435,456 pixels"),
        ({"id": 8, "file_name": "\ud800.jpg"}, "file name cannot be used"),
        ({"id": 9, "file_name": "a\0.jpg"}, "file name cannot be used"),
    ]
    images = [picture, *({**picture, **change} for change, _ in odd)]
    index = build_index(write(tmp_path / "a.json", [outline(1.5, [SQUARE])], images))
    assert index.picture_id.tolist() == [5]
    listed = [reason for what, _, reason in index.skipped if what == "picture"]
    assert listed == [reason for _, reason in odd]
    assert index.info["counts"]["annotation: id is no whole number"] == 1


def test_two_pictures_of_one_id_are_both_left_out_with_their_annotations(tmp_path: Path) -> None:
    images = [
        {"id": k, "file_name": name, "width": 40, "height": 30}
        for k, name in ((5, "a.jpg"), (5, "b.jpg"), (6, "c.jpg"), (6, "c.jpg"))
    ]
    annotations = [outline(1, [SQUARE], owner=5), outline(2, [SQUARE], owner=6)]
    index = build_index(write(tmp_path / "a.json", annotations, images))
    assert index.picture_id.tolist() == [6]  # listed twice, but the same both times
    assert index.annotation_id.tolist() == [2]
    assert index.info["counts"]["annotation: its picture's id occurs twice"] == 1


def test_annotations_of_one_id_are_numbered_by_their_place(tmp_path: Path) -> None:
    index = build_index(write(tmp_path / "a.json", [outline(0, [SQUARE]) for _ in range(3)]))
    assert index.annotation_id.tolist() == [1, 2, 3]
    assert index.info["renumbered"]


def test_a_damaged_index_is_made_again(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [outline(1, [SQUARE])])
    folder = cached_index(path, tmp_path / "cache")
    for name in ("numbers.npy", "index.json", "first_part.npy"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
        assert cached_index(path, tmp_path / "cache") == folder
        assert (folder / name).read_bytes() == whole


def test_no_annotation_at_all_is_no_error(tmp_path: Path) -> None:
    index = build_index(write(tmp_path / "a.json", []))
    assert len(index) == 1
    assert len(index.annotation_id) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got the end of the file where { belongs near character 0"),
        ("[1]", r"got '\[' where { belongs"),
        ('{"images": [], "annotations": [{"id": 1,}]}', "expected JSON in COCO's instances layout"),
        ('{"images": [{"id": 1', "expected JSON in COCO's instances layout"),
        ('{"images": []}', "expected a list 'annotations', got none"),
        ('{"images": 3, "annotations": []}', r"got '3' where \[ belongs"),
        ('{"images": [], "annotations": []} x', "got more text after the object"),
        ('{"images": [], "annotations": []}', "expected at least one picture, got none"),
        ('{"images": [{"id": 1}], "annotations": []}', "images: expected id, width, height"),
        ('{"images": [], "annotations": [{"id": 1, "caption": "a"}]}', "not captions"),
    ],
)
def test_a_broken_file_ends_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "instances_val2014.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=message) as caught:
        build_index(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("chunk", [1, 2, 7, 64])
def test_where_the_window_is_cut_makes_no_difference(tmp_path: Path, monkeypatch, chunk) -> None:
    annotations = [outline(k, [[k + 0.25, 1.5, 30, 2e0, 30, 20]]) for k in range(9)]
    path = write(tmp_path / "a.json", annotations, version=123456, note='a "]} b')
    whole = build_index(path)
    monkeypatch.setattr(json_stream, "_CHUNK", chunk)
    cut = build_index(path)
    assert cut.numbers.tolist() == whole.numbers.tolist()
    assert cut.annotation_id.tolist() == list(range(9))
    rest = json_stream.stream_lists(path, {"images": lambda _: None, "annotations": lambda _: None})
    assert rest == {"version": 123456, "note": 'a "]} b'}


def test_the_cache_is_used_until_the_file_changes(tmp_path: Path, monkeypatch) -> None:
    path = write(tmp_path / "a.json", [outline(1, [SQUARE])])
    folder = cached_index(path, tmp_path / "cache")
    built = []
    monkeypatch.setattr(
        "cisdl_bench.sources.index_build.build_index", lambda p: built.append(p) or build_index(p)
    )
    assert cached_index(path, tmp_path / "cache") == folder
    assert not built
    assert isinstance(open_index(folder).numbers, np.ndarray)
    write(path, [outline(1, [SQUARE]), outline(2, [SQUARE])])
    changed = cached_index(path, tmp_path / "cache")
    assert changed != folder
    assert built == [path]
    assert open_index(changed).annotation_id.tolist() == [1, 2]
    assert open_index(folder).annotation_id.tolist() == [1]
