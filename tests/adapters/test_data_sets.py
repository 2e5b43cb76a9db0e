"""Other people's data sets that are known by their folder."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import SHARED, Heard
from lists import save
from miniatures import BIOFORS, MINIATURES, box_mask, noise, write_biofors

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.pairs import ListedPairs
from cisdl_bench.errors import CisdlError
from cisdl_bench.pair_sources import find_sources, open_one

CASES = Callable[[Path], object]


def opened(path: Path, **settings) -> list[ListedPairs]:
    options = ListOptions(**settings)
    return [source.open(options, Heard()) for source in find_sources(path, options)]


def true_masks(pairs: ListedPairs, index: int) -> list[np.ndarray | None]:
    """Both true masks at the pictures' own sizes, None where not known."""
    masks = []
    for side in (0, 1):
        reference = pairs.reference(index, side, pairs.own_shape(index, side))
        masks.append(reference and reference.target)
    return masks


def test_defacto(tmp_path: Path) -> None:
    (pairs,) = opened(MINIATURES["defacto"](tmp_path / "set"))
    rows = [pairs.row(index) for index in pairs.indices]
    assert [(row.probe_name, row.donor_name) for row in rows] == [
        ("splicing_1/0_000000000011", "000000000091"),
        ("splicing_1/7_000000000012", "000000000092"),
        ("splicing_2/10_000000000013", "000000000091"),
    ]
    for row in rows:
        probe, donor = true_masks(pairs, row.index)
        assert np.array_equal(probe, box_mask((4, 6, 30, 30)) > 0)
        assert np.array_equal(donor, box_mask((10, 2, 30, 22), (80, 40)) > 0)


def test_defacto_with_cocos_pictures_elsewhere(tmp_path: Path) -> None:
    root = MINIATURES["defacto"](tmp_path / "set")
    (root / "coco").rename(tmp_path / "elsewhere")
    with pytest.raises(CisdlError, match="none of the donors. Give the folder of COCO 2014"):
        opened(root)
    (tmp_path / "elsewhere" / "COCO_train2014_000000000092.jpg").unlink()
    (pairs,) = opened(root, images=tmp_path / "elsewhere")
    assert pairs.indices == (0, 2)
    assert pairs.left_out == {1: "no picture 000000000092"}


def test_imd2020_and_its_unknown_side(tmp_path: Path) -> None:
    (pairs,) = opened(MINIATURES["imd2020"](tmp_path / "set"))
    assert [pairs.row(index).probe_name for index in pairs.indices] == [
        "00001/c8tf5mq_0.png",
        "00001/c8tf5mq_1.png",
        "00002/d1_0.png",
    ]
    assert {pairs.row(index).donor_name for index in (0, 1)} == {"00001/00001_orig.jpg"}
    assert all(pairs.known(index) == (True, False) for index in pairs.indices)
    probe, donor = true_masks(pairs, 1)
    assert donor is None
    assert np.array_equal(probe, box_mask((5, 5, 26, 35)) > 0)


def test_mimls_tree(tmp_path: Path) -> None:
    (pairs,) = opened(MINIATURES["miml"](tmp_path / "set"))
    assert [pairs.row(index).probe_name for index in pairs.indices] == ["a pair/1.jpg", "b/1.jpg"]
    assert [pairs.row(index).donor_name for index in pairs.indices] == ["a pair/0.jpg", "b/0.jpg"]
    assert all(pairs.known(index) == (True, False) for index in pairs.indices)
    assert np.array_equal(true_masks(pairs, 1)[0], box_mask((8, 8, 40, 40)) > 0)
    assert pairs.own_shape(1, 1) == (50, 71)


def test_coverage(tmp_path: Path) -> None:
    (pairs,) = opened(MINIATURES["coverage"](tmp_path / "set"))
    names = [(pairs.row(i).probe_name, pairs.row(i).donor_name) for i in pairs.indices]
    assert names == [("2t", "2"), ("10t", "10")]
    probe, donor = true_masks(pairs, 0)
    assert np.array_equal(probe, box_mask((30, 20, 50, 40)) > 0)
    assert np.array_equal(donor, box_mask((0, 0, 20, 20)) > 0)


def test_biofors_by_category(tmp_path: Path) -> None:
    root = write_biofors(tmp_path / "set")
    sets = {pairs.name: pairs for pairs in opened(root)}
    assert list(sets) == ["biofors-blot-gel", "biofors-microscopy", "biofors-facs"]
    microscopy = sets["biofors-microscopy"]
    assert [microscopy.label(index) for index in microscopy.indices] == [1, 0]
    names = [(microscopy.row(i).probe_name, microscopy.row(i).donor_name) for i in (0, 1)]
    assert names == [("151/b.png", "151/a.png"), ("151/a.png", "151/c.png")]
    probe, donor = true_masks(microscopy, 0)  # the truth has the pair in the other order
    assert np.array_equal(probe, box_mask((10, 8, 40, 48)) > 0)
    assert np.array_equal(donor, box_mask((0, 0, 30, 40)) > 0)
    assert not any(mask.any() for mask in true_masks(microscopy, 1))
    blots = true_masks(sets["biofors-blot-gel"], 0)[0]
    assert blots.sum() == 20 * 20 + 30 * 18
    again = pickle.loads(pickle.dumps(microscopy))
    assert np.array_equal(again.masks(0)[0], microscopy.masks(0)[0])
    assert again.fingerprint == microscopy.fingerprint


def test_biofors_by_its_file_by_its_part_and_by_truth_alone(tmp_path: Path) -> None:
    root = write_biofors(tmp_path / "set", tested=False)
    assert [pairs.name for pairs in opened(root / "edd_gt.json")] == [p.name for p in opened(root)]
    pairs = open_one(root / "biofors-microscopy", ListOptions(), Heard())
    assert (len(pairs), pairs.label(0)) == (1, 1)
    assert any("no negative pairs" in note for note in pairs.facts["notes"])
    with pytest.raises(CisdlError, match=r"one of biofors-blot-gel, .*Name one"):
        open_one(root / "biofors-fax", ListOptions(), Heard())
    with pytest.raises(CisdlError, match=r"several sets or lists: biofors-blot-gel, .*Name one"):
        open_one(root, ListOptions(), Heard())


def test_a_box_is_cut_at_the_border_and_refused_outside(tmp_path: Path) -> None:
    root = write_biofors(tmp_path / "set", tested=False)
    truth = json.loads(json.dumps(BIOFORS))
    truth["151"]["a.png b.png"][0] = [[50, 40, 90, 90]]
    (root / "edd_gt.json").write_text(json.dumps(truth))
    pairs = open_one(root / "biofors-microscopy", ListOptions(), Heard())
    assert true_masks(pairs, 0)[0].sum() == 10 * 8
    truth["151"]["a.png b.png"][0] = [[60, 40, 90, 90]]
    (root / "edd_gt.json").write_text(json.dumps(truth))
    pairs = open_one(root / "biofors-microscopy", ListOptions(), Heard())
    with pytest.raises(CisdlError, match=r"151: a.png b.png: .*60 x 48 px.* own size"):
        pairs.pair(0)
    with pytest.raises(CisdlError, match="none of the 1 pairs can be used"):
        open_one(root / "biofors-microscopy", ListOptions(skip_unusable=True), Heard())


def edit(name: str, change: Callable[[dict], object]) -> CASES:
    def changed(root: Path) -> None:
        value = json.loads((root / name).read_text())
        change(value)
        (root / name).write_text(json.dumps(value))

    return changed


WRONG: list[tuple[str, CASES, str]] = [
    ("biofors", lambda r: (r / "edd_gt.json").write_text("{"), "edd_gt.json: expected JSON"),
    ("biofors", lambda r: (r / "edd_gt.json").write_text("[]"), "edd_gt.json: expected object"),
    (
        "biofors",
        edit("edd_gt.json", lambda v: v["65"].update({"x.png y.png": [[[1, 2, 3]], []]})),
        "65: x.png y.png: .*length 4",
    ),
    (
        "biofors",
        edit("edd_gt.json", lambda v: next(iter(v["65"].values()))[0].append([9, 2, 9, 4])),
        "65: .*x0 < x1",
    ),
    (
        "biofors",
        edit("edd_gt.json", lambda v: v["65"].update({"x.png y.png": [[[-9, 2, 9, 4]], []]})),
        "65: x.png y.png: .*>= 0",
    ),
    ("biofors", edit("edd_gt.json", lambda v: v["65"].update({"x.png": [[], []]})), "two panels"),
    (
        "biofors",
        edit("edd_gt.json", lambda v: v["65"].update({"y.png x.png": v["65"]["x.png y.png"]})),
        "y.png x.png: the pair stands there twice",
    ),
    (
        "biofors",
        edit("edd_test_pairs.json", lambda v: v["65"].update({"FACS": ["q.png n.png"]})),
        "classification.json: 65: expected the category of q.png",
    ),
    (
        "biofors",
        edit("classification.json", lambda v: v["65"].update({"x.png": "Plot"})),
        "65: x.png: expected one of Blot/Gel, .*got Plot",
    ),
    ("biofors", lambda r: (r / "151" / "b.png").unlink(), "1 of the 3 files .*151/b.png"),
    (
        "defacto",
        lambda r: (r / "splicing_1_annotations/graph/7_000000000012.json").write_text('{"a": []}'),
        "7_000000000012.json: .*got none. Correct the graph",
    ),
    (
        "defacto",
        lambda r: (r / "splicing_1_annotations/graph/7_000000000012.json").write_text(
            '["000000000077.jpg", "000000000078.jpg"]'
        ),
        "got 000000000077, 000000000078",
    ),
    (
        "defacto",
        lambda r: (r / "splicing_1_annotations/graph/7_000000000012.json").unlink(),
        "7_000000000012.json: .*no such file",
    ),
    (
        "imd2020",
        lambda r: (r / "00002/d1_0_mask.png").unlink(),
        "1 of the 8 files .*d1_0_mask.png. Restore",
    ),
    ("imd2020", lambda r: save(r / "00001/b_orig.jpg", noise(1)), "00001: expected one original"),
    (
        "imd2020",
        lambda r: (r / "00002/00002_orig.jpg").unlink(),
        "1 of the 8 files .*00002_orig.jpg",
    ),
    ("miml", lambda r: save(r / "b/2.jpg", noise(1)), "b: .*2.jpg too. Give each manipulated"),
    ("miml", lambda r: (r / "b/1.png").unlink(), "b/1.png. Restore"),
    ("coverage", lambda r: (r / "mask/10copy.tif").unlink(), "10copy.tif. Restore"),
    ("coverage", lambda r: (r / "image/10.tif").unlink(), "image/10.tif. Restore"),
]


@pytest.mark.parametrize(("name", "spoil", "message"), WRONG)
def test_odd_folders_are_refused_in_a_line(name: str, spoil: CASES, message: str, tmp_path) -> None:
    root = MINIATURES[name](tmp_path / "set")
    spoil(root)
    with pytest.raises(CisdlError, match=message) as raised:
        opened(root)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "mask"),
    [
        ("defacto", "splicing_1_annotations/probe_mask/0_000000000011.jpg"),
        ("imd2020", "00001/c8tf5mq_0_mask.png"),
        ("miml", "a pair/1.png"),
        ("coverage", "mask/2forged.tif"),
    ],
)
def test_masks_of_another_size_are_refused_or_left_out(name, mask, tmp_path: Path) -> None:
    root = MINIATURES[name](tmp_path / "set")
    save(root / mask, box_mask((0, 0, 9, 9), (30, 30)))
    (pairs,) = opened(root)
    with pytest.raises(CisdlError, match=f"{Path(mask).name}: .*60 x 48 px.*30 x 30"):
        pairs.pair(0)
    (pairs,) = opened(root, skip_unusable=True)
    assert list(pairs.left_out) == [0]
    assert pairs.facts["left_out_by_reason"] == {"mask of another size": 1}


def test_an_unknown_folder_is_told_of_the_list(tmp_path: Path) -> None:
    with pytest.raises(CisdlError, match="`cisdl-bench datasets` lists"):
        opened(tmp_path)


@pytest.mark.skipif(not (SHARED / "biofors").is_dir(), reason="BioFors' annotations are not there")
def test_biofors_own_annotations_are_read_whole() -> None:
    truth = json.loads((SHARED / "biofors" / "edd_gt.json").read_text())
    categories = json.loads((SHARED / "biofors" / "classification.json").read_text())
    counted: dict[str, list[tuple[str, list, list]]] = {}
    for paper, pairs in truth.items():
        for pair, (first, second) in pairs.items():
            a, _ = pair.split(" ")
            name = categories[paper][a].lower().replace("/", "-")
            counted.setdefault(f"biofors-{name}", []).append((f"{paper}/{a}", first, second))
    assert len(truth) == 308
    assert sum(map(len, counted.values())) == 1043
    options = ListOptions(pictures=False)
    sources = find_sources(SHARED / "biofors", options)
    assert {source.name for source in sources} == set(counted)
    for source in sources:
        opened = source.open(options, Heard())
        assert len(opened) == len(counted[source.name])
        for index, (name, first, second) in enumerate(counted[source.name]):
            row = opened.row(index)
            assert (row.probe_name, row.label) == (name, 1)
            assert [list(corners) for corners in row.probe_mask.corners] == first
            assert [list(corners) for corners in row.donor_mask.corners] == second
