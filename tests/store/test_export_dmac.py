"""The DMAC authors' training tree, read by a reader that knows the description of it alone."""

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import mlcroissant
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import Heard, content

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.cli.main import main
from cisdl_bench.errors import StoreError
from cisdl_bench.pair_sources import find_sources
from cisdl_bench.store import PairSet, open_pairs
from cisdl_bench.store.export_dmac import PictureFormat, export_dmac_train
from cisdl_bench.store.verify import hash_file

PNG = PictureFormat("png")


@pytest.fixture(scope="module")
def pairs(made: Path) -> PairSet:
    return open_pairs(made / "training")


@pytest.fixture(scope="module")
def tree(pairs: PairSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("trees") / "dataprepare1"
    export_dmac_train(pairs, target, Heard(), PNG, jobs=1)
    return target


def read_lists(dataprepare: Path, word: str) -> list[list[str]]:
    """Lines of the lists whose name holds a word, split at commas, as ``train_sacm.py`` does."""
    folder = dataprepare / "DMAC-COCO" / "train2014" / "labelfiles"
    names = sorted(path.name for path in folder.iterdir() if word in path.name)
    assert len(names) == 3
    lines = []
    for name in names:
        header, *rest = (folder / name).read_text().splitlines()
        assert header == "image1,image2,label,gt1,gt2"
        lines += [line.split(",") for line in rest]
    return lines


def read_picture(dataprepare: Path, name: str) -> np.ndarray:
    bgr = cv2.imread(str(dataprepare / "DMAC-COCO" / "train2014" / name), cv2.IMREAD_COLOR)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def read_mask(dataprepare: Path, name: str) -> np.ndarray:
    path = dataprepare / "DMAC-COCO" / "train2014" / name
    grey = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert grey.ndim == 2
    assert set(np.unique(grey)) <= {0, 255}
    return grey > 127


def ids_of(name: str) -> list[int]:
    """The pictures and the instance that a composite's name says, the donor first."""
    pattern = r".*/COCO_train2014_(\d{12})_(\d+)_COCO_train2014_(\d{12})(?:_\d+)?_combine\.\w+"
    return [int(part) for part in re.fullmatch(pattern, name).groups()]


def by_composite(pairs: PairSet, kind: str) -> dict[tuple[int, ...], list[int]]:
    """Numbers of the pairs of a kind by donor, instance and background."""
    numbers: dict[tuple[int, ...], list[int]] = {}
    for index in pairs.indices:
        if pairs.kind(index) == kind:
            about = pairs.about(index)
            key = about["donor_id"], about["annotation_id"], about["background_id"]
            numbers.setdefault(key, []).append(index)
    return numbers


def test_foreground_pairs_as_miml_reads_them(pairs: PairSet, tree: Path) -> None:
    lines, numbers = read_lists(tree, "fore"), by_composite(pairs, "foreground")
    assert len(lines) == len(pairs) // 3
    for image1, image2, label, gt1, gt2 in lines:
        assert label == "1"
        donor, instance, background = key = tuple(ids_of(image2))
        pair = pairs.pair(numbers[key].pop(0))
        stem, other = f"COCO_train2014_{donor:012d}", f"COCO_train2014_{background:012d}"
        assert image1 == f"train2014resize_256/{stem}.png"
        composite = Path(image2).stem
        assert composite.startswith(f"{stem}_{instance}_{other}")
        assert gt1 == f"gt_combine/{stem}_{composite}.png"
        assert gt2 == f"gt_combine/{composite}_{stem}.png"
        assert np.array_equal(read_picture(tree, image1), pair.donor)
        assert np.array_equal(read_picture(tree, image2), pair.probe)
        assert np.array_equal(read_mask(tree, gt1), pair.donor_mask)
        assert np.array_equal(read_mask(tree, gt2), pair.probe_mask)
    assert not any(numbers.values())


def test_background_and_negative_pairs(pairs: PairSet, tree: Path) -> None:
    numbers = by_composite(pairs, "background")
    for image1, image2, label, gt1, gt2 in read_lists(tree, "back"):
        key = tuple(ids_of(image2))
        pair, stem = pairs.pair(numbers[key].pop(0)), f"COCO_train2014_{key[2]:012d}"
        assert (label, gt1) == ("1", gt2)
        assert gt1 == f"gt_combine/{stem}_{Path(image2).stem}.png"
        assert image1 == f"train2014resize_256/{stem}.png"
        assert np.array_equal(read_picture(tree, image1), pair.donor)
        assert np.array_equal(read_picture(tree, image2), pair.probe)
        assert np.array_equal(read_mask(tree, gt1), pair.donor_mask)
        assert np.array_equal(read_mask(tree, gt1), pair.probe_mask)
    assert not any(numbers.values())
    negatives = [pairs.pair(k) for k in pairs.indices if pairs.kind(k) == "negative"]
    wanted = {(p.numbers["donor_id"], p.numbers["background_id"]): p for p in negatives}
    lines = read_lists(tree, "neg")
    assert len(lines) == len(negatives)
    for image1, image2, *rest in lines:
        assert rest == ["0", "null", "null"]
        pair = wanted[int(image1[-16:-4]), int(image2[-16:-4])]
        assert np.array_equal(read_picture(tree, image1), pair.donor)
        assert np.array_equal(read_picture(tree, image2), pair.probe)


def test_nine_lists_by_difficulty(pairs: PairSet, tree: Path) -> None:
    words = {"difficult": "diff", "normal": "medi", "easy": "easy"}
    for difficulty, word in words.items():
        counted = sum(pairs.about(k)["difficulty"] == difficulty for k in pairs.indices)
        assert len(read_lists(tree, f"_{word}.")) == counted
    assert len(list((tree / "DMAC-COCO" / "train2014" / "labelfiles").iterdir())) == 9


def test_jpeg_pictures_are_near_and_masks_exact(pairs: PairSet, tree: Path, tmp_path: Path) -> None:
    export_dmac_train(pairs, tmp_path / "jpeg", Heard(), PictureFormat(quality=90), jobs=1)
    lines, exact = read_lists(tmp_path / "jpeg", "fore"), read_lists(tree, "fore")
    for (image1, image2, _, gt1, gt2), line in zip(lines, exact, strict=True):
        for name, other in ((image1, line[0]), (image2, line[1])):
            assert name == other.replace(".png", ".jpg")
            ours, theirs = read_picture(tmp_path / "jpeg", name), read_picture(tree, other)
            error = np.abs(ours.astype(int) - theirs)
            assert 0 < error.mean() < 6
        for name, other in ((gt1, line[3]), (gt2, line[4])):
            assert np.array_equal(read_mask(tmp_path / "jpeg", name), read_mask(tree, other))


def test_equal_names_are_told_apart(pairs: PairSet, tmp_path: Path, monkeypatch) -> None:
    rows = pairs.rows.copy()
    for name in ("donor_id", "annotation_id", "background_id"):
        rows[name][1] = rows[name][0]
    twice = open_pairs(pairs.path)
    twice.rows = rows
    monkeypatch.setattr("cisdl_bench.store.export_dmac._open_once", lambda _: twice)
    export_dmac_train(twice, tmp_path / "out", Heard(), PNG, jobs=1)
    composites = list((tmp_path / "out").rglob("combine/*.png"))
    assert len(composites) == len(rows)
    stem = f"_{rows['annotation_id'][0]}_COCO_train2014_{rows['background_id'][0]:012d}"
    names = {path.name.partition(stem)[2] for path in composites if stem in path.name}
    assert names >= {"_2_combine.png", "_combine.png"}


def test_a_killed_export_is_resumed_with_the_same_bytes(made, tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import os, pathlib, sys\n"
        "from cisdl_bench.store import atomic, export_dmac, open_pairs\n"
        "replace, count = pathlib.Path.replace, [0]\n"
        "def dying(self, target):\n"
        "    count[0] += 1\n"
        "    if count[0] == int(sys.argv[3]):\n"
        "        os.kill(os.getpid(), 9)\n"
        "    return replace(self, target)\n"
        "pathlib.Path.replace = dying\n"
        "class Silent:\n"
        "    def __getattr__(self, name): return lambda *a, **k: None\n"
        "pairs, out = open_pairs(sys.argv[1]), pathlib.Path(sys.argv[2])\n"
        "png = export_dmac.PictureFormat('png')\n"
        "export_dmac.export_dmac_train(pairs, out, Silent(), png, jobs=1)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, made / "training", out, "60"], check=False)
    assert ended.returncode == -9
    whole = content(tree)
    partial = content(out)
    assert any(name.endswith(".part") for name in partial)
    for name, data in partial.items():
        if not Path(name).name.startswith("."):
            assert data == whole[name]
    assert not list(out.rglob("labelfiles/*.csv"))
    progress = Heard()
    export_dmac_train(open_pairs(made / "training"), out, progress, PNG, jobs=1)
    assert any("resumes" in line for line in progress.lines)
    assert content(out) == whole


def test_what_is_there_is_never_replaced(pairs: PairSet, tree: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="dataprepare1 exists. Remove it"):
        export_dmac_train(pairs, tree, Heard(), PNG, jobs=1)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "note.txt").write_text("x")
    with pytest.raises(StoreError, match="mine exists. Remove it"):
        export_dmac_train(pairs, mine, Heard(), PNG, jobs=1)
    assert content(mine) == {"note.txt": b"x"}
    (mine / ".export.json").write_text(
        json.dumps({"form": "dmac-train", "fingerprint": "f", "ending": "png", "quality": 75})
    )
    with pytest.raises(StoreError, match=r"unfinished export of something else \(fingerprint"):
        export_dmac_train(pairs, mine, Heard(), PNG, jobs=1)
    (mine / ".export.json").write_text("[]")
    with pytest.raises(StoreError, match="Remove that folder"):
        export_dmac_train(pairs, mine, Heard(), PNG, jobs=1)


def test_sets_that_are_not_for_training_are_refused(made: Path, pairs, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="combination-normal: .*no training set. Run"):
        export_dmac_train(open_pairs(made / "combination-normal"), tmp_path / "x", Heard())
    named = open_pairs(pairs.path)
    named.manifest = {**named.manifest, "source": {**named.manifest["source"], "name": 'a,"b'}}
    with pytest.raises(StoreError, match="source's name: .*commas"):
        export_dmac_train(named, tmp_path / "x", Heard())
    assert list(tmp_path.iterdir()) == []


def test_it_is_described(pairs: PairSet, tree: Path) -> None:
    said = json.loads((tree / "croissant.json").read_text())
    hashes = {file["@id"]: file["sha256"] for file in said["distribution"] if "sha256" in file}
    assert len(hashes) == 10
    assert hashes == {name: hash_file(tree / name) for name in hashes}
    dataset = mlcroissant.Dataset(jsonld=tree / "croissant.json")
    issues = dataset.metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())
    labels = [record["pairs/label"] for record in dataset.records("pairs")]
    assert labels == [pair.label for pair in pairs]
    assert sum(1 for _ in dataset.records("masks")) == len(pairs)


def test_our_own_reader_reads_it_back(pairs: PairSet, tree: Path) -> None:
    options = ListOptions()
    sources = {source.name: source for source in find_sources(tree, options)}
    assert set(sources) == {
        f"combination-{difficulty}{kind}"
        for difficulty in ("difficult", "normal", "easy")
        for kind in ("", "-background", "-negative")
    }
    opened = sources["combination-normal-negative"].open(options, Heard())
    assert {opened.label(index) for index in opened.indices} == {0}
    foreground = sources["combination-normal"].open(options, Heard())
    name = foreground.row(0).probe_name
    line = next(line for line in read_lists(tree, "fore") if line[1] == name)
    assert np.array_equal(foreground[0].donor_mask, read_mask(tree, line[3]))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--format", "release", "--picture-format", "png"], "--picture-format is for"),
        (["--format", "dmac-train", "--picture-format", "gif"], "'jpg', 'png'"),
        (
            ["--format", "dmac-train", "--picture-format", "png", "--jpeg-quality", "9"],
            "--jpeg-quality is for",
        ),
    ],
)
def test_options_that_do_not_go_together(made: Path, words: list[str], text: str) -> None:
    result = CliRunner().invoke(main, ["export", str(made / "training"), *words])
    assert (result.exit_code, text in result.output) == (2, True), result.output
