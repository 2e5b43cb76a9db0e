"""NIST's index and reference."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Heard
from lists import write_mfc

from cisdl_bench.adapters.find import find_lists
from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.pairs import ListedPairs
from cisdl_bench.errors import SourceError


def opened(path: Path, **settings) -> ListedPairs:
    skip = settings.pop("skip_unusable", False)
    return open_list(path, ListOptions(**settings, skip_unusable=skip), Heard())


def test_nists_index_and_reference(tmp_path: Path) -> None:
    index = write_mfc(tmp_path)
    assert find_lists(tmp_path) == [index]
    pairs = opened(index)
    assert pairs.name == "MFC18_Tiny"
    assert [pairs.label(i) for i in pairs.indices] == [1, 1, 0]
    white = cv2.imread(str(tmp_path / "masks" / "shifted-donor.png"), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(pairs.reference(1, 1, white.shape).target, white > 0)
    assert pairs.about(1) == {"probe": "p-shifted", "donor": "d-shifted"}
    alone = opened(index, labelled=False)
    assert alone.label(0) == -1
    assert alone.fingerprint != pairs.fingerprint


def test_an_exif_rotation_is_what_nists_index_says(tmp_path: Path) -> None:
    from PIL import Image

    index = write_mfc(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(tmp_path / "raw-probe.png") as picture:
        picture.save(tmp_path / "raw-probe.png", exif=exif)
    flat = opened(index)[0].probe
    assert opened(index).own_shape(0, 0) == (240, 320)
    index.write_text(index.read_text().replace("raw-probe.png|320|240", "raw-probe.png|240|320"))
    assert opened(index).own_shape(0, 0) == (320, 240)
    with pytest.raises(SourceError, match="raw-probe.png: .*240 x 320 px.*Give the mask"):
        opened(index)[0]
    assert not np.array_equal(opened(index, labelled=False)[0].probe, flat)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("|320|", "|wide|", "trial 0: .*ProbeWidth.*Correct the index"),
        ("p-other", "p-else", "p-other d-raw|p-else d-raw.*Give the reference"),
        (
            "p-other|other-probe.png|200|160|d-raw",
            "p-raw|raw-probe.png|200|160|d-raw",
            "trial 2: .*p-raw d-raw.*Remove one",
        ),
    ],
)
def test_a_wrong_index_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    index = write_mfc(tmp_path)
    index.write_text(index.read_text().replace(old, new, 1))
    with pytest.raises(SourceError, match=message):
        opened(index)


def test_an_index_without_its_reference(tmp_path: Path) -> None:
    index = write_mfc(tmp_path)
    reference = tmp_path / "reference" / "splice" / "MFC18_Tiny-splice-ref.csv"
    reference.rename(tmp_path / "ref.csv")
    with pytest.raises(SourceError, match=r"splice-ref.csv: .*--reference"):
        opened(index)
    text = (tmp_path / "ref.csv").read_text().replace("BinaryProbeMaskFileName", "Other")
    (tmp_path / "ref.csv").write_text(text)
    pairs = opened(index, reference=tmp_path / "ref.csv")
    assert pairs.label(0) == 1
    assert "has no BinaryProbeMaskFileName" in pairs.facts["notes"][0]


@pytest.mark.parametrize("width", ["0", "-3", "1e3", "x", "9" * 5000, "99999999", "٣"])
def test_sizes_of_an_index_are_numbers_of_pixels(tmp_path: Path, width: str) -> None:
    index = write_mfc(tmp_path)
    index.write_text(index.read_text().replace("|320|", f"|{width}|", 1))
    with pytest.raises(SourceError, match=r"trial 0: .*ProbeWidth.*Correct the index"):
        opened(index)
