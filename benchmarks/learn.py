"""Train heads on frozen features and score them beside the methods without training.

    cisdl-bench fetch hed
    python benchmarks/learn.py OUT --coco DIR --hed hed [--pairs 9000] [--test-pairs 150]
                               [--epochs 8] [--experiments consensus-frozen,dmac-unit-frozen]

Training sets come from DIR's train pictures, a thousand and some pairs a seed; test sets
(Combination and Raw) from its validation pictures, those of the growth curve with another seed than
those of the last table. The last table has the networks and the four methods on the same pairs.
Everything goes through `cisdl-bench`, as a user would type it, and resumes where it was stopped.
"""

import argparse
import subprocess
import sys
from pathlib import Path

SETS = ("combination", "raw")
METHODS = ("luo-blocks", "zernike-blocks", "sift-ransac", "dense-field")
PART = 4500  # pairs of one training set


def run(*words: object) -> None:
    """Run a command of cisdl-bench; show it first."""
    line = [str(word) for word in words]
    print("$ cisdl-bench", " ".join(line), flush=True)
    subprocess.run([sys.executable, "-m", "cisdl_bench", *line], check=True)


def main() -> None:
    """Make sets, train, score, compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--hed", type=Path, default=Path("hed"))
    parser.add_argument("--pairs", type=int, default=2 * PART)
    parser.add_argument("--test-pairs", type=int, default=150)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--experiments", default="consensus-frozen,dmac-unit-frozen")
    parser.add_argument("--precision", default="bf16")
    options = parser.parse_args()
    out, coco = options.out, ("--coco", options.coco)
    data = []
    for seed, start in enumerate(range(0, options.pairs, PART)):
        folder, count = out / f"training-{seed}", min(PART, options.pairs - start)
        run("generate", "--set", "training", *coco, "--pairs", count, "--seed", seed, "-o", folder)
        data += ["--data", folder / "training"]
    for folder, seed in ((out / "watched", 0), (out / "test", 5)):
        sets = [word for name in SETS for word in ("--set", name)]
        run("generate", *sets, *coco, "--pairs", options.test_pairs, "--seed", seed, "-o", folder)
    watched = [
        word
        for name in ("difficult", "normal", "easy")
        for word in ("--evaluate-on", out / "watched" / f"combination-{name}")
    ]
    for name in options.experiments.split(","):
        every = max(1, options.pairs * options.epochs // 24 // 12)
        run(
            *("train", name, *data, "--init", options.hed, "-o", out / "training" / name),
            *("--maps", out / "maps", "--epochs", options.epochs, "--precision", options.precision),
            *(*watched, "--evaluate-pairs", options.test_pairs, "--evaluate-every", every),
        )
        run("plot", "growth", out / "training" / name, "-o", out / f"{name}.png")
        checkpoint = out / "training" / name / f"{name}.pt"
        score = ("score", checkpoint, "--data", out / "test", "-o", out / "scores" / name)
        run(*score, "--precision", options.precision)
    for name in METHODS:
        run("score", name, "--data", out / "test", "-o", out / "scores" / name)
    scores = [out / "scores" / name for name in (*options.experiments.split(","), *METHODS)]
    run("table", *scores, "-o", out / "table.csv")
    run("table", *scores, "--layout", "paper-1")


if __name__ == "__main__":
    main()
