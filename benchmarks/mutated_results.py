"""Mutated results through every reader: only an error of ours, or success, may come out.

``python benchmarks/mutated_results.py RUN [--count 10000] [--seed 0] [--readers N]``: RUN is a
folder that ``cisdl-bench score`` wrote. A mutation changes ``result.json`` or ``pairs.csv`` of a
copy (half of the latter with the hash made to fit), then ``table``, ``compare``, ``report`` without
pictures, ``plot`` and ``reopen`` read it. Prints how many were refused, accepted, and ended in
another exception, with the first of each kind of those.
"""

import argparse
import hashlib
import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cisdl_bench.errors import CisdlError
from cisdl_bench.progress import Progress
from cisdl_bench.report.draw import draw
from cisdl_bench.report.figure import FigureOptions, figure_names
from cisdl_bench.report.page import page
from cisdl_bench.report.tables import TableOptions, make_table
from cisdl_bench.report.write_table import FORMATS
from cisdl_bench.results.compare import compare
from cisdl_bench.results.reload import reopen
from cisdl_bench.results.result import find_results
from cisdl_bench.results.run_summary import write_summary

RESULT, ROWS = "result.json", "pairs.csv"
_VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    3.5,
    2**70,
    1e308,
    "",
    "x",
    "../..",
    "a\0b",
    "x" * 5000,
    "$\\frac{",
    "<script>",
    [],
    [1],
    {},
    {"a": {}},
]
_CELLS = ["", "-1", "2", "nan", "inf", "x", "1e400", "9" * 30, '"', "1.5", "\0", "-0", "é"]


class Silent:
    """Progress that nobody hears."""

    def start(self, what: str, total: int, done: int = 0) -> None: ...

    def advance(self, n: int) -> None: ...

    def note(self, text: str) -> None: ...

    def stop(self) -> None: ...

    def say(self, message: str) -> None: ...


def mutate_result(path: Path, rng: random.Random) -> str:
    """Change one thing of a ``result.json``; return what was done."""
    text = path.read_bytes()
    if rng.random() < 0.15:
        place = rng.randrange(len(text))
        path.write_bytes(text[:place] + bytes([rng.randrange(256)]) + text[place + 1 :])
        return f"byte {place}"
    if rng.random() < 0.05:
        place = rng.randrange(len(text))
        path.write_bytes(text[:place])
        return f"cut at {place}"
    record = json.loads(text)
    places = list(_places(record))
    parent, key = rng.choice(places)
    if rng.random() < 0.3:
        del parent[key]
        done = f"without {key}"
    else:
        parent[key] = rng.choice(_VALUES)
        done = f"{key} = {str(parent[key])[:20]!r}"
    path.write_text(json.dumps(record))
    return done


def _places(value: Any) -> Any:
    """Yield the parent and the key of every value of a record."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in list(items):
        yield value, key
        if isinstance(each, (dict, list)):
            yield from _places(each)


def mutate_rows(folder: Path, rng: random.Random) -> str:
    """Change one thing of a ``pairs.csv``, in half of the cases with its hash made to fit."""
    path = folder / ROWS
    lines = path.read_text().splitlines()
    kind = rng.choice(["cell", "cell", "cell", "cell", "line", "double", "column", "bytes", "cut"])
    at = rng.randrange(len(lines))
    cells = lines[at].split(",")
    if kind == "cell":
        place = rng.randrange(len(cells))
        cells[place] = rng.choice(_CELLS)
        lines[at] = ",".join(cells)
    elif kind == "line":
        del lines[at]
    elif kind == "double":
        lines.insert(at, lines[at])
    elif kind == "column":
        lines = [",".join(line.split(",")[:-1]) for line in lines]
    text = "\n".join(lines).encode() + b"\n"
    if kind == "bytes":
        place = rng.randrange(len(text))
        text = text[:place] + bytes([rng.randrange(256)]) + text[place + 1 :]
    elif kind == "cut":
        text = text[: rng.randrange(len(text))]
    path.write_bytes(text)
    if rng.random() < 0.5:
        return f"{kind} in row {at + 1}"
    record = json.loads((folder / RESULT).read_text())
    record["rows_sha256"] = hashlib.sha256(text).hexdigest()
    (folder / RESULT).write_text(json.dumps(record))
    return f"{kind} in row {at + 1}, hash made to fit"


def readers(run: Path, other: Path) -> dict[str, Callable[[], Any]]:
    """Return what reads a run: tables in all formats, figures, the report, the comparison."""
    progress: Progress = Silent()

    def tables() -> None:
        for layout in ("wide", "paper-1", "paper-3"):
            table = make_table([run, other], TableOptions(layout, published=layout != "wide"))
            for form in FORMATS.values():
                form(table, 4, False)

    found: dict[str, Callable[[], Any]] = {
        "table": tables,
        "release": lambda: make_table([run], TableOptions("wide", convention="release")),
        "compare": lambda: compare(other, run, "iou"),
        "report": lambda: page([run], run / "report.html", progress, worst=0),
        "reopen": lambda: [reopen(result, progress) for result in find_results(run)],
        "summary": lambda: write_summary(run),
    }
    options = FigureOptions(count=1)
    for kind in figure_names():
        if kind != "growth":
            found[f"plot {kind}"] = lambda kind=kind: draw(kind, [run], options, progress)
    return found


def campaign(
    run: Path, count: int, seed: int, readers_each: int | None = None
) -> tuple[Counter[str], dict[str, str]]:
    """Read mutated copies of a run; return how they ended, and each other exception's first case.

    Args:
        run: A folder of results; left as it is.
        count: Number of mutations.
        seed: Seed of the mutations.
        readers_each: Number of readers, drawn at random, of each copy; None is all of them.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret
    ended: Counter[str] = Counter()
    wrong: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(count):
            copy = Path(scratch) / str(number) / run.name
            shutil.copytree(run, copy, ignore=shutil.ignore_patterns("masks"))
            folder = rng.choice(sorted(copy.glob(f"*/{RESULT}"))).parent
            changed_rows = rng.random() < 0.5
            done = mutate_rows(folder, rng) if changed_rows else mutate_result(folder / RESULT, rng)
            found = list(readers(copy, run).items())
            for name, read in rng.sample(found, readers_each or len(found)):
                try:
                    read()
                    ended["accepted"] += 1
                except CisdlError as error:
                    ended["refused in lines" if "\n" in str(error) else "refused"] += 1
                except Exception as error:
                    ended["another exception"] += 1
                    kind = f"{name}: {type(error).__name__}: {str(error)[:80]}"
                    wrong.setdefault(kind, f"{number}: {folder.name}: {done}")
            shutil.rmtree(copy.parent)
    return ended, wrong


def main() -> None:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--readers", type=int, help="How many read each copy. Default: all.")
    asked = parser.parse_args()
    ended, wrong = campaign(asked.run, asked.count, asked.seed, asked.readers)
    print(dict(ended))
    for kind, case in wrong.items():
        print(f"{kind}\n  {case}")


if __name__ == "__main__":
    main()
