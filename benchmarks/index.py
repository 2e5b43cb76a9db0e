"""Time and memory of opening train2014's annotations, the first time and after.

    python benchmarks/index.py [--work DIR]

Each opening is a process of its own; its peak is the kernel's figure for it (Linux).
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from make_instances import ANNOTATIONS, write_instances

OPEN = """
import resource, sys, time
from pathlib import Path
from cisdl_bench.sources.coco import open_coco
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begun = time.perf_counter()
source = open_coco(Path(sys.argv[1]), "train", Path(sys.argv[2]))
spent = time.perf_counter() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"{spent:6.2f} s, peak {peak / 1024:,.0f} MB ({before / 1024:,.0f} MB before), "
      f"{len(source.index):,} pictures, {len(source.index.annotation_id):,} instances")
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "cisdl-index")
    work = parser.parse_args().work
    target = work / "annotations" / "instances_train2014.json"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        write_instances(target)
    (work / "train2014").mkdir(exist_ok=True)
    shutil.rmtree(work / "cache", ignore_errors=True)
    print(f"{target.stat().st_size / 1e6:.0f} MB of JSON, {ANNOTATIONS:,} annotations")
    for name in ("first time", "after"):
        command = [sys.executable, "-c", OPEN, str(work), str(work / "cache")]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(f"{name:10} {shown.strip()}")


if __name__ == "__main__":
    main()
