"""Size of the report, and the time it takes, of 8 methods on 22 sets of 3,000 pairs.

    python benchmarks/report_size.py [PAIRS]

Rows are made up; pictures and masks are those of built-in photographs, with noisy answers.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from conftest import Heard
from results_by_hand import write_run

from cisdl_bench.generation.jobs import make_set_jobs
from cisdl_bench.generation.run import make_sets
from cisdl_bench.report import gallery
from cisdl_bench.report.page import page
from cisdl_bench.sources.find import find_source
from cisdl_bench.specs import paper_test_sets
from cisdl_bench.store import open_pairs
from cisdl_bench.store.folder import DataFolder

METHODS = 8


class Photographs:
    """Pairs of a small set, over and over."""

    size = 256

    def __init__(self, pairs: Any) -> None:
        self.pairs = pairs

    def pair(self, number: int) -> Any:
        return self.pairs.pair(number % len(self.pairs))


def find_noisy_masks(result: Any, pairs: Photographs, number: int) -> Any:
    """Return the true masks, each with an edge and specks of its own."""
    pair = pairs.pair(number)
    rng = np.random.default_rng(number)
    noisy = []
    for mask in (pair.probe_mask, pair.donor_mask):
        noise = cv2.GaussianBlur(rng.normal(0, 1, mask.shape).astype(np.float32), (0, 0), 4)
        noisy.append(np.clip(cv2.blur(mask.astype(np.float32), (15, 15)) + 4 * noise, 0, 1))
    return tuple(noisy)


def main(pairs: int) -> None:
    """Write the report and print its size."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        jobs = make_set_jobs(
            ["combination"],
            ["normal"],
            lambda split: find_source(None, split, root),
            seed=0,
            pairs=30,
        )
        make_sets(jobs, DataFolder(root), Heard())
        photographs = Photographs(open_pairs(root / "combination-normal"))
        sets = [f"{f}-{d}" for f in paper_test_sets() for d in ("difficult", "normal", "easy")]
        runs = []
        for k in range(METHODS):
            run = root / f"method-{k}"
            names = ("rotation_deg", "scale", "luminance", "width_factor")
            quality = dict.fromkeys(sets, 0.2 + 0.09 * k)
            write_run(run, quality, pairs=pairs, parameters=names)
            runs.append(write_run(run, {"training": 0.5}, pairs=pairs, negatives=pairs // 3))
        begun = time.perf_counter()
        opened = patch.object(gallery, "reopen", lambda *_: photographs)
        with opened, patch.object(gallery, "find_masks", find_noisy_masks):
            text = page(runs, root / "report.html", Heard())
        size, seconds = len(text.encode()) / 1e6, time.perf_counter() - begun
        print(f"{METHODS} methods, {len(sets) + 1} sets of {pairs:,} pairs: ", end="")
        print(f"{size:.2f} MB in {seconds:.0f} s")
        Path(sys.argv[2] if len(sys.argv) > 2 else "/dev/null").write_text(text)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
