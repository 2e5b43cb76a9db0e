"""Mutated inputs through the commands: refused in a line or used rightly, never a traceback.

``python benchmarks/mutated_inputs.py [--count 7000] [--seed 0] [--kinds coco picture ...]``

Each case runs in a process of its own, so that a crash of native code or an endless loop is seen
too. Kinds: COCO files and pictures through ``generate``, shards and manifests through ``verify``,
``info``, ``preview``, ``score`` and ``export``, picture stores through ``generate`` and
``--overwrite``, recipes and specs through ``generate``, lists and predictions through ``score``.
What succeeds is looked at: a set that was made must be sound, and a shard that was changed must
not pass ``verify``. Prints how the cases ended, and the first of each kind that went wrong; exits
with 1 if there is one.
"""

import argparse
import contextlib
import importlib
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cisdl_bench.cli.main import main as cisdl_bench
from cisdl_bench.specs import spec_text
from cisdl_bench.store.verify import verify_set

SECONDS = 60
LATE = ("adapters.pairs", "generate.jobs", "models.detectors", "report.sheet", "scoring.run")
ODD = [
    None,
    True,
    -1,
    0,
    1.5,
    2**40,
    2**70,
    float("nan"),
    float("inf"),
    1e308,
    "",
    "x",
    "\ud800",
    "a\0b",
    "../../x",
    "x" * 300,
    [],
    [[]],
    [1, 2],
    {},
    {"size": [2**20, 2**20], "counts": "52"},
]


def run(*words: object) -> int:
    """Run a command in this process; return its exit code, its output aside."""
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            cisdl_bench(
                [str(word) for word in words], prog_name="cisdl-bench", standalone_mode=True
            )
        except SystemExit as ended:
            return int(ended.code or 0)
    return 0


class WrongSuccessError(Exception):
    """A success that is none."""


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to every value within a value."""
    found = [at] if at else []
    if isinstance(value, dict):
        for key in value:
            found += places(value[key], (*at, key))
    elif isinstance(value, list):
        for k in range(min(len(value), 40)):
            found += places(value[k], (*at, k))
    return found


def mutate_json(path: Path, rng: random.Random) -> None:
    """Change one to three values of a JSON file, or its bytes."""
    if rng.random() < 0.25:
        return mutate_bytes(path, rng)
    table = json.loads(path.read_text())
    for _ in range(rng.randint(1, 3)):
        *outer, last = rng.choice(places(table))
        inner = table
        try:
            for key in outer:
                inner = inner[key]
            how = rng.random()
            if how < 0.15:
                del inner[last]
            elif how < 0.25 and isinstance(inner, list):
                inner.append(inner[last])
            else:
                inner[last] = rng.choice(ODD)
        except (KeyError, IndexError, TypeError):
            continue
    path.write_text(json.dumps(table))


def mutate_bytes(path: Path, rng: random.Random, low: int = 0) -> None:
    """Flip, cut, repeat or overwrite bytes of a file."""
    data = bytearray(path.read_bytes())
    how = rng.random()
    at = rng.randrange(min(low, len(data) - 1), len(data))
    if how < 0.4:
        for _ in range(rng.choice((1, 1, 4, 64))):
            data[rng.randrange(low, len(data))] ^= 1 << rng.randrange(8)
    elif how < 0.6:
        del data[at:]
    elif how < 0.8:
        end = at + rng.randint(1, 64)
        data[at:end] = bytes(rng.choice((0, 255)) for _ in data[at:end])
    else:
        data[at:at] = data[at : at + rng.randint(1, 4096)]
    path.write_bytes(data)


def mutate_text(path: Path, rng: random.Random) -> None:
    """Change a cell, a line or the bytes of a text file."""
    if rng.random() < 0.2:
        return mutate_bytes(path, rng)
    lines = path.read_text("utf-8", "surrogateescape").split("\n")
    at = rng.randrange(len(lines))
    separator = "=" if path.suffix == ".toml" else ","
    cells = lines[at].split(separator)
    cells[rng.randrange(len(cells))] = rng.choice(
        ["", "x", "-1", "nan", "inf", "1e400", "9" * 30, '"', "a\0b", "é", "0.5", "[1, 2]", "true"]
    )
    lines[at] = rng.choice([separator.join(cells), separator.join(cells), "", lines[at] * 2])
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))


class Inputs:
    """Sound inputs of every kind, made once.

    Args:
        root: An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.coco = root / "coco"
        _write_coco(self.coco)
        (root / "data").mkdir()
        words = [
            "-q",
            "generate",
            "--set",
            "raw-easy",
            "--pairs",
            6,
            "--jobs",
            1,
            "--coco",
            self.coco,
        ]
        assert run(*words, "--out", root / "data") == 0
        self.set = root / "data" / "raw-easy"
        assert run("info", self.set, "--parameters", "-o", root / "recipe.csv") == 0
        (root / "spec.toml").write_text(spec_text("combination"))
        words = ["-q", "export", self.set, "--format", "release", "-o", root / "list"]
        assert run(*words) == 0
        rows = (root / "list" / "list.csv").read_text().splitlines()[1:]
        cells = [row.split(",") for row in rows]
        lines = [f"{two},{one},{label},{gt2},{gt1}" for one, two, label, gt1, gt2 in cells]
        head = "probe,donor,label,probe_mask,donor_mask"
        (root / "list" / "list.csv").unlink()
        (root / "list" / "pairs.csv").write_text("\n".join([head, *lines]) + "\n")
        scores = [f"{k},0.{k},{line.split(',')[3]},empty" for k, line in enumerate(lines)]
        head = "index,score,probe_mask,donor_mask"
        (root / "list" / "scores.csv").write_text("\n".join([head, *scores]) + "\n")


def _write_coco(root: Path) -> None:
    rng = np.random.default_rng(0)
    (root / "val2014").mkdir(parents=True)
    (root / "annotations").mkdir()
    images, annotations = [], []
    for k in range(1, 9):
        name = f"COCO_val2014_{k:012d}.jpg"
        pixels = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
        Image.fromarray(pixels).save(root / "val2014" / name)
        images.append({"id": k, "file_name": name, "width": 160, "height": 120})
        box = [[20, 10, 120, 10, 120, 100, 20, 100]]
        runs = {"size": [120, 160], "counts": [2400, 7200, 9600]}
        for shape in (box, runs, [[10, 10, 60, 10, 60, 60, 10, 60]]):
            entry = {"id": len(annotations) + 1, "image_id": k, "segmentation": shape}
            annotations.append({**entry, "iscrowd": 0, "category_id": 1})
    table = {
        "info": {"description": "d"},
        "licenses": [{"id": 1, "name": "l"}],
        "images": images,
        "annotations": annotations,
    }
    (root / "annotations" / "instances_val2014.json").write_text(json.dumps(table))


def _generated(coco: Path, out: Path, *more: object) -> None:
    """Generate; what is made must be sound."""
    words = ["-q", "generate", "--pairs", 6, "--jobs", 1, "--coco", coco, "--out", out, *more]
    if run(*words) == 0:
        for folder in out.glob("*/manifest.json"):
            problems = verify_set(folder.parent, set())
            if problems:
                raise WrongSuccessError(problems[0])


def coco(inputs: Inputs, here: Path, rng: random.Random) -> None:
    """Make a set from a changed instances file."""
    shutil.copytree(inputs.coco, here / "coco")
    mutate_json(here / "coco" / "annotations" / "instances_val2014.json", rng)
    _generated(here / "coco", here / "out", "--set", "raw-easy")


def picture(inputs: Inputs, here: Path, rng: random.Random) -> None:
    """Make a set from changed pictures, and look at one pair of them."""
    shutil.copytree(inputs.coco, here / "coco")
    files = sorted((here / "coco" / "val2014").iterdir())
    for path in rng.sample(files, 3):
        form = rng.choice(("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "TGA", "PPM", "JPEG2000"))
        Image.open(inputs.coco / "val2014" / path.name).save(path, form)
        mutate_bytes(path, rng)
    _generated(here / "coco", here / "out", "--set", "raw-easy")
    run("-q", "detect", *files[:2], "--model", "luo-blocks", "--size", 64, "-o", here / "d")


def recipe(inputs: Inputs, here: Path, rng: random.Random) -> None:
    """Build a set from a changed recipe."""
    shutil.copy(inputs.root / "recipe.csv", here / "recipe.csv")
    mutate_text(here / "recipe.csv", rng)
    words = ["-q", "generate", "--recipe", here / "recipe.csv", "--coco", inputs.coco]
    run(*words, "--jobs", 1, "--out", here / "out")


def spec(inputs: Inputs, here: Path, rng: random.Random) -> None:
    """Make a set by a changed spec."""
    shutil.copy(inputs.root / "spec.toml", here / "spec.toml")
    for _ in range(rng.randint(1, 2)):
        mutate_text(here / "spec.toml", rng)
    _generated(inputs.coco, here / "out", "--set", here / "spec.toml", "--difficulty", "easy")


def _read(folder: Path, here: Path, rng: random.Random) -> int:
    """Read a set in every way; return what ``verify`` said."""
    code = run("-q", "verify", folder)
    words = rng.choice(
        [
            ["info", folder],
            ["info", folder, "--json"],
            ["info", folder, "--parameters"],
            ["preview", folder, "-o", here / "p.png", "--count", 2],
            ["score", "oracle", "--data", folder, "--workers", 1, "-o", here / "s"],
            ["export", folder, "--format", "webdataset", "-o", here / "w"],
            ["export", folder, "--format", "pairs-h5", "-o", here / "h.h5"],
        ]
    )
    run("-q", *words)
    return code


def shard(inputs: Inputs, here: Path, rng: random.Random) -> None:
    """Read a set with a changed shard, of pictures or of composites."""
    shutil.copytree(inputs.root / "data", here / "data")
    path = rng.choice(sorted([*here.glob("data/*/*.h5"), *here.glob("data/pictures/*/*.h5")]))
    before = path.read_bytes()
    mutate_bytes(path, rng)
    folder = path.parent if path.parent.parent.name == "data" else here / "data" / "raw-easy"
    if _read(folder, here, rng) == 0 and path.read_bytes() != before:
        raise WrongSuccessError(f"verify passes {path.name}")


def manifest(inputs: Inputs, here: Path, rng: random.Random) -> None:
    """Read a set with a changed manifest, then make it again."""
    shutil.copytree(inputs.root / "data", here / "data")
    found = [*here.glob("data/*/manifest.json"), *here.glob("data/pictures/*/manifest.json")]
    mutate_json(rng.choice(sorted(found)), rng)
    folder = here / "data" / "raw-easy"
    _read(folder, here, rng)
    words = ["-q", "generate", "--set", "raw-easy", "--pairs", 6, "--jobs", 1]
    words += ["--coco", inputs.coco, "--out", here / "data"]
    run(*words)
    if run(*words, "--overwrite") == 0 and (problems := verify_set(folder, set())):
        raise WrongSuccessError(problems[0])


def pair_list(inputs: Inputs, here: Path, rng: random.Random) -> None:
    """Score a changed list, and changed predictions of it."""
    shutil.copytree(inputs.root / "list", here / "list")
    name = rng.choice(("pairs.csv", "scores.csv"))
    path = here / "list" / name
    if rng.random() < 0.3:
        path = rng.choice(sorted((here / "list").glob("*/*.png")))
        mutate_bytes(path, rng)
    else:
        mutate_text(path, rng)
    words = ["--data", here / "list" / "pairs.csv", "--workers", 1, "-o", here / "s"]
    words += ["--skip-unusable"] if rng.random() < 0.5 else []
    if rng.random() < 0.5:
        run("-q", "score", "random", *words)
    else:
        run("-q", "score", "--predictions", here / "list" / "scores.csv", *words)
    run("-q", "import", here / "list" / "pairs.csv", "--jobs", 1, "-o", here / "i")


KINDS: dict[str, Callable[[Inputs, Path, random.Random], None]] = {
    "coco": coco,
    "picture": picture,
    "recipe": recipe,
    "spec": spec,
    "shard": shard,
    "manifest": manifest,
    "list": pair_list,
}


def apart(case: Callable[[], None]) -> tuple[str, str]:
    """Run a case in a child; return how it ended and what it said last."""
    with tempfile.TemporaryFile("w+", errors="backslashreplace") as said:
        child = os.fork()
        if not child:
            os.dup2(said.fileno(), 2)
            sys.stderr = os.fdopen(2, "w", errors="backslashreplace", closefd=False)
            signal.alarm(SECONDS)
            code = 0
            try:
                case()
            except WrongSuccessError as error:
                print(f"wrong success: {error}", file=sys.stderr)
                code = 3
            except BaseException:
                traceback.print_exc()
                code = 4
            sys.stderr.flush()
            os._exit(code)
        status = os.waitpid(child, 0)[1]
        said.seek(0)
        text = said.read()
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"killed by {signal.Signals(-code).name}", text[-500:]
    if code == 0 and "Traceback" in text:
        code = 4
    return {0: "right", 3: "wrong success", 4: "traceback"}[code], text[-1500:]


def campaign(kinds: list[str], count: int, seed: int) -> tuple[Counter[str], dict[str, str]]:
    """Run mutated cases; return how they ended, and the first of each kind that went wrong.

    Args:
        kinds: Kinds of input, names of ``KINDS``, taken in turn.
        count: Number of cases.
        seed: Seed of the mutations.
    """
    ended: Counter[str] = Counter()
    wrong: dict[str, str] = {}
    for name in LATE:  # once, before the children are forked
        importlib.import_module(f"cisdl_bench.{name}")
    with tempfile.TemporaryDirectory() as scratch:
        inputs = Inputs(Path(scratch))
        for number in range(count):
            kind = kinds[number % len(kinds)]
            here = Path(tempfile.mkdtemp(dir=scratch))
            rng = random.Random(f"{seed} {number}")  # noqa: S311 - no secret
            how, text = apart(lambda kind=kind, here=here, rng=rng: KINDS[kind](inputs, here, rng))
            ended[f"{kind}: {how}"] += 1
            if how != "right":
                last = text.strip().splitlines()[-1:] or [""]
                wrong.setdefault(f"{kind}: {how}: {last[0][:60]}", f"case {number}\n{text}")
            shutil.rmtree(here)
    return ended, wrong


def main() -> None:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=7000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    asked = parser.parse_args()
    ended, wrong = campaign(asked.kinds, asked.count, asked.seed)
    for how, n in sorted(ended.items()):
        print(f"{n:>7,} {how}")
    for kind, case in wrong.items():
        print(f"{kind}\n  {case}")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
