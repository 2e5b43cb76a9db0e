"""Other people's lists of pairs: what is read from them, and what is refused."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SHARED, Heard
from lists import save, write_plain, write_release, write_table

from cisdl_bench.adapters.find import find_lists, read_list
from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.pairs import ListedPairs
from cisdl_bench.adapters.release import set_name
from cisdl_bench.errors import SourceError


def opened(path: Path, **settings) -> ListedPairs:
    skip = settings.pop("skip_unusable", False)
    return open_list(path, ListOptions(**settings, skip_unusable=skip), Heard())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plain(tmp_path_factory.mktemp("plain"))


def test_plain_pairs_come_to_the_canvas_with_their_masks(plain: Path) -> None:
    pairs = opened(plain, size=128)
    assert (pairs.name, len(pairs), pairs.size) == ("pairs", 3, 128)
    assert [pairs.kind(i) for i in pairs.indices] == ["positive", "positive", "negative"]
    assert [pairs.label(i) for i in pairs.indices] == [1, 1, 0]
    pair = pairs[1]
    assert pair.probe.shape == (128, 128, 3)
    assert pair.numbers["probe"] == "shifted-probe.png"
    whole = cv2.imread(str(plain.parent / "masks" / "shifted-probe.png"), cv2.IMREAD_GRAYSCALE)
    assert pair.probe_mask.mean() == pytest.approx((whole > 0).mean(), abs=2e-3)
    assert np.array_equal(pairs.reference(1, 0, whole.shape).target, whole > 0)
    assert not pairs[2].probe_mask.any()
    assert pairs.known(2) == (True, True)


def test_pairs_travel_as_their_list_and_are_opened_once(plain: Path) -> None:
    pairs = opened(plain)
    data = pickle.dumps(pairs)
    assert len(data) < 1000
    again, twice = pickle.loads(data), pickle.loads(data)
    assert again is twice
    assert np.array_equal(again[1].probe, pairs[1].probe)


def test_the_fingerprint_is_of_content_and_labels(plain: Path, tmp_path: Path) -> None:
    first = opened(plain)
    assert opened(write_plain(tmp_path / "elsewhere")).fingerprint == first.fingerprint
    text = plain.read_text()
    for name, changed in (
        ("label", text.replace("raw-donor.png,0", "raw-donor.png,1")),
        ("order", "\n".join([text.splitlines()[0], *reversed(text.splitlines()[1:])])),
    ):
        (plain.parent / f"{name}.csv").write_text(changed)
        assert opened(plain.parent / f"{name}.csv").fingerprint != first.fingerprint


def test_labels_and_masks_may_be_missing(plain: Path) -> None:
    rows = [["probe", "donor"], ["raw-probe.png", "raw-donor.png"]]
    pairs = opened(write_table(plain.parent / "bare.csv", rows))
    assert (pairs.label(0), pairs.kind(0), pairs.known(0)) == (-1, "unlabelled", (False, False))
    rows = [
        ["probe", "donor", "probe_mask"],
        ["raw-probe.png", "raw-donor.png", "masks/raw-probe.png"],
    ]
    pairs = opened(write_table(plain.parent / "half.csv", rows))
    assert (pairs.label(0), pairs.known(0)) == (1, (True, False))


def test_missing_files_are_refused_or_left_out_and_counted(plain: Path) -> None:
    rows = [
        ["probe", "donor", "label"],
        ["raw-probe.png", "gone.png", 1],
        ["raw-probe.png", "raw-donor.png", 1],
        ["broken.png", "raw-donor.png", 0],
    ]
    path = write_table(plain.parent / "gaps.csv", rows)
    whole = (plain.parent / "raw-probe.png").read_bytes()
    (plain.parent / "broken.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"gaps.csv: 1 of .*gone.*--skip-unusable"):
        opened(path)
    heard = Heard()
    pairs = open_list(path, ListOptions(skip_unusable=True), heard)
    assert pairs.indices == (1,)
    assert set(pairs.left_out) == {0, 2}
    assert "gone.png: no such file" in pairs.left_out[0]
    assert "a picture that can be read" in pairs.left_out[2]
    assert pairs.facts["notes"] == ["gaps: 1 of 3 pairs"]
    assert "1 of 3 pairs; left out 2, such as pair 0" in heard.lines[0]
    (plain.parent / "broken.png").unlink()


def test_a_mask_of_another_size_than_its_picture(plain: Path) -> None:
    rows = [
        ["probe", "donor", "probe_mask"],
        ["raw-probe.png", "raw-donor.png", "masks/raw-donor.png"],
    ]
    pairs = opened(write_table(plain.parent / "wrong.csv", rows))
    with pytest.raises(SourceError, match="raw-donor.png: .*320 x 240.*Give the mask"):
        pairs[0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a", "b"], ["x", "y"]], r"bad.csv: .*Name the columns"),
        (
            [["probe", "donor", "label"], ["raw-probe.png", "raw-donor.png", "yes"]],
            "pair 0: .*'yes'.*Correct the row",
        ),
        ([["probe", "donor"], ["raw-probe.png", ""]], "pair 0: .*--skip-unusable"),
        ([["probe", "donor"]], "bad.csv: .*Write the rows"),
    ],
)
def test_wrong_rows_are_refused(plain: Path, rows: list[list[object]], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        opened(write_table(plain.parent / "bad.csv", rows))


# The authors' release


def test_release_sets_are_known_by_their_names() -> None:
    for end, difficulty in (
        ("diff", "difficult"),
        ("norm", "normal"),
        ("medi", "normal"),
        ("easy", "easy"),
    ):
        assert set_name(f"val2014_combine_fore_{end}") == f"combination-{difficulty}"
    assert set_name("val2014_combine_fore_diff") == "combination-difficult"
    words = ["combine", "raw", "shift", "rotation", "scale", "luminance", "deformation"]
    found = {
        set_name(f"val2014_{word}_fore_{end}") for word in words for end in ("diff", "norm", "easy")
    }
    assert len(found) == 21
    assert set_name("rotation-difficult-release") == "rotation-difficult"


def test_release_pictures_are_what_the_authors_code_makes_of_them(tmp_path: Path) -> None:
    path = write_release(tmp_path)
    pairs = opened(path)
    assert pairs.name == "combination-normal"
    arrays = [np.empty((256, 256, 3), dtype=np.float32) for _ in range(2)]
    masks = np.empty((2, 256, 256), dtype=bool)
    pairs.read_into(0, *arrays, *masks)
    for array, mask, name in zip(
        arrays, masks, ("combine_6/1.jpg", "val2014resize_512/0.jpg"), strict=True
    ):
        bgr = cv2.imread(str(tmp_path / name)).astype(float)
        theirs = cv2.resize(bgr, (256, 256)).astype(np.float32)[..., ::-1]
        assert np.array_equal(array, theirs)
        assert (array % 1).any()
        stem = Path(name).stem
        grey = cv2.imread(str(tmp_path / "gt_combine_6" / f"{stem}.png"))[:, :, 0]
        grey[grey == 255] = 1
        their_mask = cv2.resize(grey, (256, 256), interpolation=cv2.INTER_NEAREST)
        assert np.array_equal(mask, their_mask == 1)
    assert pairs[0].probe.dtype == np.uint8
    assert pairs.known(2) == (True, True)
    assert not pairs[2].donor_mask.any()


def test_a_folder_of_releases_is_all_of_its_lists(tmp_path: Path) -> None:
    write_release(tmp_path)
    write_release(tmp_path, "val2014_combine_fore_easy.csv")
    (tmp_path / "notes.csv").write_text("a,b\n")
    assert [path.name for path in find_lists(tmp_path)] == [
        "val2014_combine_fore_easy.csv",
        "val2014_combine_fore_norm.csv",
    ]


# Paired CASIA


def test_casia_names_are_matched_with_case_aside(tmp_path: Path) -> None:
    grey = np.full((4, 4, 3), 90, dtype=np.uint8)
    names = [
        "Tp/tp_d_nnn_s_b_cha00100_cha00020_00420-0.TIF",
        "Au/Au_cha_00020.jpg",
        "Au/AU_CHA_00006.BMP",
        "Au/Au_cha_00006.jpg",
        "Au/readme.txt.png",
    ]
    for name in names:
        save(tmp_path / "CASIA2" / name, grey)
    rows = [
        ["ProbeID", "DonorID", "Label"],
        ["Tp_D_NNN_S_B_cha00100_cha00020_00420-0", "Au_cha_00020", 1],
        ["Au_cha_00006", "Au_cha_00020", 0],
        ["Au_cha_00006", "Au_ani_00001", 0],
    ]
    path = write_table(tmp_path / "paired_CASIA_ids.csv", rows)
    heard = Heard()
    pairs = open_list(path, ListOptions(tmp_path / "CASIA2"), heard)
    assert pairs.indices == (0, 1)
    assert pairs.left_out == {2: "no picture Au_ani_00001"}
    assert pairs.row(0).probe == tmp_path / "CASIA2" / names[0]
    assert pairs.row(1).probe == tmp_path / "CASIA2" / names[3]
    assert pairs.known(0) == (False, False)
    assert pairs.facts["notes"][0] == "paired_CASIA_ids: 2 of 8,642 pairs"
    assert "2 of 8,642 pairs; left out 1, such as pair 2" in heard.lines[0]
    with pytest.raises(SourceError, match=r"Give CASIA 2.0's folder by --images"):
        opened(path, images=tmp_path / "CASIA2" / "Tp")
    other = write_table(tmp_path / "other.csv", [rows[0], ["IMG_1", "Au_cha_00020", 1]])
    with pytest.raises(SourceError, match="pair 0: .*Write a CSV"):
        read_list(other, ListOptions())


def test_the_whole_casia_list_has_the_published_counts() -> None:
    path = SHARED / "casia-mini" / "paired_CASIA_ids.csv"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    listed = read_list(path, ListOptions(path.parent / "small"))
    assert len(listed.pairs) == listed.whole == 8642
    assert sum(pair.label for pair in listed.pairs) == 3642
    assert sum(bool(pair.probe and pair.donor) for pair in listed.pairs) == 16


# NIST
