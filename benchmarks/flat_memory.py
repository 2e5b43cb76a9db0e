"""Peak memory of generating ten times the pairs, against that of the tenth.

    python benchmarks/flat_memory.py PHOTOS [--pairs 20000] [--jobs 2] [--work DIR]

PHOTOS is a folder in COCO's layout. Both runs draw from the same 2,000 pictures; each is a
process of its own, so nothing of the first stays for the second.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from memory import Peak
from photographs import write_photographs


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "cisdl-photos")
    options = parser.parse_args()
    root = write_photographs(options.photos, options.work / "2000", 2000)
    out = options.work / "flat"
    peaks = []
    for pairs in (options.pairs, 10 * options.pairs):
        shutil.rmtree(out, ignore_errors=True)
        command = [sys.executable, "-m", "cisdl_bench", "-q", "generate", "--set", "training"]
        command += ["--pairs", str(pairs), "--coco", str(root), "--out", str(out)]
        begun = time.perf_counter()
        with Peak() as peak:
            subprocess.run([*command, "--jobs", str(options.jobs)], check=True)
        spent = time.perf_counter() - begun
        peaks.append(peak.mb)
        print(f"{pairs:9,} pairs  {spent:6.1f} s  peak {peak.mb:6.0f} MB", flush=True)
    print(f"ratio of the peaks {peaks[1] / peaks[0]:.2f}")
    shutil.rmtree(out)


if __name__ == "__main__":
    main()
