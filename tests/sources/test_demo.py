import json
from pathlib import Path

import pytest
from conftest import content

from cisdl_bench.errors import SourceError
from cisdl_bench.sources.demo import NOTE, photograph, write_demo
from cisdl_bench.sources.find import find_source


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    return write_demo(tmp_path_factory.mktemp("demo"))


def test_is_the_same_every_time(demo: Path, tmp_path: Path) -> None:
    assert content(write_demo(tmp_path)) == content(demo)


def test_has_some_hundreds_of_different_pictures_in_every_class(demo: Path, tmp_path) -> None:
    for split in ("train", "val"):
        files = list((demo / f"{split}2014").iterdir())
        assert len({path.read_bytes() for path in files}) == len(files) >= 150
    source = find_source(None, "val", demo.parent)
    share = source.index.area_frac()
    for low, high in ((0.01, 0.1), (0.1, 0.25), (0.25, 0.5)):
        assert ((share > low) & (share < high)).sum() >= 80
    assert source.notes == (NOTE,)


def test_train_and_val_share_no_photograph_and_scenes_are_groups(demo: Path) -> None:
    groups = {}
    for split in ("train", "val"):
        table = json.loads((demo / "annotations" / f"instances_{split}2014.json").read_text())
        groups[split] = {image["group"] for image in table["images"]}
        by_name = {image["file_name"]: image["group"] for image in table["images"]}
        if split == "val":
            assert by_name["motorcycle_left_000.jpg"] == by_name["motorcycle_right_000.jpg"]
    assert not groups["train"] & groups["val"]


def test_an_existing_folder_is_left_alone(demo: Path) -> None:
    marker = demo / "marker"
    marker.touch()
    assert write_demo(demo.parent) == demo
    assert marker.exists()
    marker.unlink()


def test_a_missing_photograph_is_named() -> None:
    with pytest.raises(SourceError, match="gioconda: expected that photograph"):
        photograph("gioconda")
