"""Train DMAC, DMVN-BN and the adversarial stage for some minutes, score them, draw the curve.

    python benchmarks/train_and_score.py OUT --minutes 8 [--coco DIR] [--size 256] [--width 1]
                                         [--device cpu] [--precision fp32] [--batch-size 24]

Sets are generated from DIR (or the built-in pictures), the training set from its train pictures,
the Combination sets from its validation pictures. Each of the two networks gets ``minutes``, the
adversarial stage half of that. Everything goes through `cisdl-bench`, as a user would type it.
Scores of networks that learnt for minutes say that the training works, and nothing of the paper.
"""

import argparse
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

from cisdl_bench.specs import spec_text


def typed(*words: object) -> None:
    """Run a command of cisdl-bench; show it first."""
    line = [str(word) for word in words]
    print("$ cisdl-bench", " ".join(line), flush=True)
    subprocess.run([sys.executable, "-m", "cisdl_bench", *line], check=True)


def experiment(name: str, mine: str, width: float, learning_rate: float | None, out: Path) -> Path:
    """Write an experiment of the package's with other channels or learning rate."""
    root = files("cisdl_bench.data_specs") / "experiments"
    text = (root / f"{name}.toml").read_text("utf-8")
    text = text.replace(f'name = "{name}"', f'name = "{mine}"', 1)
    if width != 1:
        text = text.replace("\nepochs", f"\nwidth = {width}\nepochs")
    if learning_rate is not None:
        table = tomllib.loads(text)["optimizer"]
        text = text.replace(f'name = "{table["name"]}"', 'name = "adam"')
        text = text.replace("learning_rate = 1.0", f"learning_rate = {learning_rate}", 1)
    path = out / f"{mine}.toml"
    path.write_text(text)
    return path


def main() -> None:
    """Train and score."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=float, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--batch-size", type=int, default=24)
    parser.add_argument("--learning-rate", type=float, help="Adam instead of Adadelta.")
    parser.add_argument("--train-pairs", type=int, default=6000)
    parser.add_argument("--test-pairs", type=int, default=200)
    parser.add_argument("--evaluate-every", type=int, default=200)
    options = parser.parse_args()
    out, data = options.out.absolute(), options.out.absolute() / "data"
    out.mkdir(parents=True, exist_ok=True)
    source = ("--coco", options.coco.absolute()) if options.coco else ()
    for name, pairs in (("training", options.train_pairs), ("combination", options.test_pairs)):
        spec = out / f"{name}.toml"
        spec.write_text(spec_text(name).replace("size = 256 ", f"size = {options.size} "))
        typed("-q", "generate", "--set", spec, "--pairs", pairs, "--out", data, *source)
    how = ["--data", data / "training", "--device", options.device]
    how += ["--precision", options.precision, "--batch-size", options.batch_size]
    how += ["--epochs", 1000, "--evaluate-every", options.evaluate_every]
    how += ["--save-every", options.evaluate_every, "--evaluate-pairs", options.test_pairs]
    runs = []
    for name, start, minutes in (
        ("dmac", None, options.minutes),
        ("dmvn-bn", None, options.minutes),
        ("adv-bce-0.01-0.01-1e-5", "dmac", options.minutes / 2),
    ):
        short = "dmac-adv" if start else name
        width = options.width if name != "dmvn-bn" else 1
        rate = options.learning_rate if not start else None
        mine = experiment(name, short, width, rate, out)
        run = out / "training" / short
        words = ["train", mine, *how, "--out", run, "--max-minutes", minutes]
        if start:
            words += ["--from", out / "training" / start / f"{start}.pt"]
        typed(*words)
        runs.append(run)
    for run in runs:
        typed(
            *("score", run / f"{run.name}.pt", "--data", data, "--set", "combination"),
            *("--device", options.device, "--precision", options.precision, "--overwrite"),
            *("-o", out / "scores" / run.name),
        )
    scores = [out / "scores" / run.name for run in runs]
    typed("table", *scores, "--layout", "paper-1")
    typed("plot", "growth", *runs[:2], "-o", out / "growth.png")


if __name__ == "__main__":
    main()
