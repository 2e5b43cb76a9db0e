"""Small data sets in COCO's layout that the tests make themselves."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

if "PYTEST_XDIST_WORKER" in os.environ:  # several processes of several threads stall each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import pytest
from PIL import Image

from cisdl_bench.generation.jobs import make_set_jobs
from cisdl_bench.generation.run import make_sets
from cisdl_bench.sources.coco import CocoSource, open_coco
from cisdl_bench.store.folder import DataFolder

# A job in a shell's background is started with Ctrl-C ignored; the tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).parent.parent
SHARED = REPOSITORY.parent / "shared"


#: Files whose tests take longest: begun first, so that no process ends long after the others.
LONGEST = (
    "test_docs.py",
    "test_run.py",
    "test_examples.py",
    "test_extend.py",
    "test_reproduce.py",
    "test_kept.py",
    "test_train_on_gpu.py",
    "test_engine.py",
    "test_mutations.py",
    "test_backbone.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))  # the rest stays in order


class Heard:
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.counts: list[list[Any]] = []

    def start(self, what: str, total: int | None, done: int = 0, name: str = "") -> None:
        self.counts.append([name or what, total or 0, done])

    def advance(self, n: int) -> None:
        self.counts[-1][2] += n

    def note(self, text: str) -> None: ...

    def stop(self) -> None: ...

    def say(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture(scope="session")
def coco_mini() -> Path:
    """The real photographs beside a checkout, where there are any."""
    path = SHARED / "coco-mini"
    if not path.is_dir():
        pytest.skip(f"{path} is not there: real photographs in COCO's layout")
    return path


def disc(x: float, y: float, radius: float, n: int = 24) -> list[float]:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    points = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)
    return points.round(2).ravel().tolist()


def write_coco(root: Path, split: str = "val", count: int = 14, seed: int = 0) -> Path:
    """Write pictures of smooth noise with three discs each: of 3%, 15% and 33% of the picture."""
    rng = np.random.default_rng(seed)
    folder = root / f"{split}2014"
    folder.mkdir(parents=True)
    (root / "annotations").mkdir(exist_ok=True)
    images, annotations = [], []
    for k in range(1, count + 1):
        width, height = (240, 200) if k % 2 else (200, 240)
        noise = rng.integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
        pixels = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        name = f"COCO_{split}2014_{k:012d}.jpg"
        Image.fromarray(pixels).save(folder / name, quality=92)
        images.append({"id": k * 10, "file_name": name, "width": width, "height": height})
        for share in (0.03, 0.15, 0.33):
            radius = np.sqrt(share * width * height / np.pi)
            x, y = rng.uniform(0.9 * radius, [width - 0.9 * radius, height - 0.9 * radius])
            annotations.append(
                {
                    "id": 100 + len(annotations),
                    "image_id": k * 10,
                    "segmentation": [disc(x, y, radius)],
                    "iscrowd": 0,
                }
            )
    table = {"images": images, "annotations": annotations}
    (root / "annotations" / f"instances_{split}2014.json").write_text(json.dumps(table))
    return root


def change_coco(root: Path, change: Callable[[dict[str, Any]], None], split: str = "val") -> None:
    """Change the annotations of a folder in place."""
    path = root / "annotations" / f"instances_{split}2014.json"
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))


@pytest.fixture(scope="session")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 14 synthetic pictures in each split."""
    root = tmp_path_factory.mktemp("coco")
    write_coco(root, "val")
    return write_coco(root, "train", seed=1)


@pytest.fixture(scope="session")
def source(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> CocoSource:
    return open_coco(coco, "val", tmp_path_factory.mktemp("index"))


def make(
    coco: Path, out: Path, *names: str, difficulty: str = "normal", pairs: int = 40, **settings: Any
) -> list[dict[str, Any]]:
    """Generate sets in this process."""
    of = {split: open_coco(coco, split, out / "index") for split in ("train", "val")}
    words = [] if "training" in names else [difficulty]
    set_jobs = make_set_jobs(
        names, words, of.__getitem__, seed=settings.pop("seed", 0), pairs=pairs
    )
    return make_sets(set_jobs, DataFolder(out), settings.pop("progress", Heard()), **settings)


@pytest.fixture(scope="session")
def made(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a training set and a combination set."""
    out = tmp_path_factory.mktemp("made")
    make(coco, out, "training", pairs=60)
    make(coco, out, "combination", pairs=20)
    return out


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its relative path, the index and logs of runs left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "index" not in path.parts and path.suffix != ".log"
    }
