"""Mutated checkpoints through the reader: only an error of ours, or success, may come out.

A campaign, outside the test suite; a part of it runs there.

    python benchmarks/mutated_checkpoints.py --count 10000 --seed 1
"""

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from mutated_checkpoints import campaign


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        ended, wrong = campaign(options.count, options.seed, Path(folder))
    for kind, count in ended.most_common():
        print(f"{count:>7,} {kind}")
    for what in wrong.values():
        print(what)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
