"""How fast the training set is made, where the time goes, and how far that is from the limit.

    python benchmarks/generation.py PHOTOS [--count 4000] [--jobs 2] [--work DIR]

PHOTOS is a folder in COCO's layout; 640x480 JPEGs are made out of it. The limit is decoding and
resizing each picture once, by the same function and workers, measured before and after.
"""

import argparse
import contextlib
import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import joblib
from memory import Peak
from photographs import write_photographs

from cisdl_bench.generation import compose as compose_module
from cisdl_bench.generation import instance as instance_module
from cisdl_bench.generation import shards as shards_module
from cisdl_bench.generation.jobs import make_set_jobs
from cisdl_bench.generation.run import make_sets
from cisdl_bench.sources.coco import CocoSource, open_coco
from cisdl_bench.store.folder import DataFolder
from cisdl_bench.store.pictures import PictureFolder, PictureReader
from cisdl_bench.store.sets import SetFolder

TRAINING = {"pictures": 82_783, "pairs": 1_035_255}


class Silent:
    """Progress that nobody sees."""

    def start(self, *_: object) -> None: ...
    def advance(self, *_: object) -> None: ...
    def stop(self) -> None: ...
    def say(self, message: str) -> None:
        print(message)


def decode(source: CocoSource, positions: range) -> int:
    """Decode and resize some pictures and drop them."""
    for position in positions:
        source.load(position, 256, "bicubic")
    return len(positions)


def decode_all(source: CocoSource, jobs: int) -> float:
    """Return the seconds that decoding and resizing each picture once takes."""
    n = len(source.index)
    blocks = [range(k, min(k + 64, n)) for k in range(0, n, 64)]
    with joblib.Parallel(n_jobs=jobs) as parallel:
        parallel(joblib.delayed(decode)(source, range(2)) for _ in range(jobs))
        begun = time.perf_counter()
        parallel(joblib.delayed(decode)(source, block) for block in blocks)
        return time.perf_counter() - begun


def timed_steps(spent: dict[str, float]) -> contextlib.ExitStack:
    """Count the seconds spent in each step, in this process, until the stack is closed."""
    stack = contextlib.ExitStack()
    steps = {
        "decode + resize": (CocoSource, "load"),
        "store pictures": (PictureFolder, "write"),
        "read donors": (PictureReader, "read_into"),
        "instance masks": (CocoSource, "region"),
        "outlines": (instance_module, "find_outline"),
        "plan warp": (compose_module, "plan_warp"),
        "render": (compose_module, "render"),
        "store composites": (SetFolder, "write"),
        "compose, all of it": (shards_module, "compose_range"),
    }
    for name, (owner, attribute) in steps.items():
        original = getattr(owner, attribute)

        def wrapped(*args, _call=original, _name=name, **kwargs):  # type: ignore[no-untyped-def]
            begun = time.perf_counter()
            try:
                return _call(*args, **kwargs)
            finally:
                spent[_name] += time.perf_counter() - begun

        setattr(owner, attribute, wrapped)
        stack.callback(setattr, owner, attribute, original)
    return stack


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "cisdl-photos")
    options = parser.parse_args()
    root = write_photographs(options.photos, options.work / str(options.count), options.count)
    out = options.work / "out"
    source = open_coco(root, "train", out / "index")

    def make(jobs: int) -> tuple[float, dict]:
        shutil.rmtree(out / "training", ignore_errors=True)
        shutil.rmtree(out / "pictures", ignore_errors=True)
        set_jobs = make_set_jobs(["training"], [], lambda _: source, seed=0, pairs=None)
        begun = time.perf_counter()
        manifest = make_sets(set_jobs, DataFolder(out), Silent(), jobs=jobs)[0]
        return time.perf_counter() - begun, manifest

    limits = [decode_all(source, options.jobs)]
    with Peak() as peak:
        seconds, manifest = make(options.jobs)
    limits.append(decode_all(source, options.jobs))
    pairs, limit = manifest["counts"]["pairs"], sum(limits) / 2
    composites = sum(entry["bytes"] for entry in manifest["shards"])
    per_picture = 256 * 256 * 3
    per_pair = composites / pairs
    gigabytes = (TRAINING["pairs"] * per_pair + TRAINING["pictures"] * per_picture) / 1e9
    per_source = seconds / options.count
    print(f"{options.count} pictures of 640x480, five traversals, {options.jobs} workers")
    print(
        f"pairs                     {pairs:,} in {seconds:.2f} s = {pairs / seconds:,.0f} a second"
    )
    print(f"decode + resize once      {limits[0]:.2f} s before, {limits[1]:.2f} s after")
    print(f"ratio to that             {seconds / limit:.2f}")
    print(f"peak memory               {peak.mb:.0f} MB, parent and workers")
    print(
        f"projected {TRAINING['pairs']:,} pairs: {TRAINING['pairs'] / pairs * seconds / 60:.1f} "
        f"minutes by pairs, {TRAINING['pictures'] * per_source / 60:.1f} by pictures, "
        f"{gigabytes:.1f} GB"
    )
    spent: dict[str, float] = defaultdict(float)
    with timed_steps(spent):
        alone, _ = make(1)
    inner = ("instance masks", "outlines", "plan warp", "render", "read donors")
    spent["draws and the rest"] = spent.pop("compose, all of it") - sum(spent[n] for n in inner)
    spent["anything else"] = alone - sum(spent.values())
    print(f"one worker                {alone:.2f} s; of that, a picture:")
    for name, value in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"  {name:22} {value / options.count * 1e3:6.2f} ms {value / alone:6.1%}")


if __name__ == "__main__":
    main()
