"""Mutated lists, pictures, masks and predictions: only an error of ours, or success, may come out.

``python benchmarks/mutated_lists.py [--count 10000] [--seed 0]`` writes a small list in each format
that is read (plain, the authors' release, paired CASIA, NIST's task with a submission), changes one
file of it, and scores it: as pictures with and without ``--skip-unusable``, or as predictions, and
checks the submission. Prints how many were refused, accepted, and ended in another exception.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.predictions import read_predictions
from cisdl_bench.errors import CisdlError
from cisdl_bench.models.find import find_detector
from cisdl_bench.nist.submission import check_submission
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.predicted import PredictionScorer, with_predictions
from cisdl_bench.scoring.run import run_jobs, score

_CELLS = [
    "", "-1", "2", "nan", "1e999", "x", "9" * 5000, '"', "|", ",", "\0", "é", "\udce9", "..",
    "/", "x" * 300, "a/b" * 2000, "Y", "N", "empty", "=1+1", "\u2028", "None", "0.5",
]  # fmt: skip


class Silent:
    """Progress that nobody hears."""

    def start(self, what: str, total: int, done: int = 0) -> None: ...

    def advance(self, n: int) -> None: ...

    def note(self, text: str) -> None: ...

    def stop(self) -> None: ...

    def say(self, message: str) -> None: ...


def mutate(path: Path, rng: random.Random) -> str:
    """Change one thing of a file; return what was done."""
    data = path.read_bytes()
    kind = rng.choice(["byte", "cut", "nothing", "gone", "cell", "cell", "cell", "row", "range"])
    if path.suffix == ".csv" and kind in ("cell", "row"):
        lines = data.decode().splitlines()
        at = rng.randrange(len(lines))
        if kind == "row":
            lines.insert(rng.randrange(len(lines)), lines[at])
        else:
            separator = "|" if "|" in lines[0] else ","
            cells = lines[at].split(separator)
            cells[rng.randrange(len(cells))] = rng.choice(_CELLS)
            lines[at] = separator.join(cells)
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    elif path.suffix != ".csv" and kind in ("cell", "row", "range"):
        return _repaint(path, rng)
    elif kind == "byte":
        place = rng.randrange(len(data))
        path.write_bytes(data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :])
    elif kind == "cut":
        path.write_bytes(data[: rng.randrange(len(data))])
    elif kind == "nothing":
        path.write_bytes(b"")
    elif kind == "gone":
        path.unlink()
    return kind


def _repaint(path: Path, rng: random.Random) -> str:
    """Give a picture other values, another depth, or another size."""
    how = rng.choice(["uint16", "int32", "float32", "size", "mode", "small"])
    with Image.open(path) as opened:
        grey = np.asarray(opened.convert("L"))
    if how == "size":
        picture = Image.fromarray(grey[: 1 + len(grey) // 2])
    elif how == "mode":
        picture = Image.fromarray(grey).convert(rng.choice(["P", "LA", "RGBA", "1", "RGB"]))
    elif how == "small":
        picture = Image.fromarray(grey // 128)
    else:
        factor = rng.choice([1, 257, 1 / 255, 16])
        picture = Image.fromarray((grey.astype(np.float64) * factor).astype(how))
    kind = "TIFF" if how in ("int32", "float32") else "PNG"
    picture.save(path, kind)
    return how


def ways(folder: Path, table: Path | None, listed: Path) -> dict[str, Callable[[], Any]]:
    """Return what is done with a list, and with a table of predictions beside it."""
    progress: Any = Silent()
    settings = ScoreOptions(workers=1)

    def scored(skip: bool) -> None:
        pairs = open_list(listed, ListOptions(size=64, skip_unusable=skip), progress)
        job = ScoreJob(pairs, Perturbation())
        score(find_detector("random"), [job], folder / f"r{skip}", settings, progress)

    def predicted(skip: bool) -> None:
        assert table is not None
        predictions = read_predictions(table)
        pairs = open_list(
            listed, ListOptions(size=64, pictures=False, skip_unusable=skip), progress
        )
        job = ScoreJob(with_predictions(predictions, pairs), Perturbation())
        run_jobs(PredictionScorer(predictions), [job], folder / f"p{skip}", settings, progress)
        pairs.write_own_scores(predictions, folder / "nist", settings)

    found: dict[str, Callable[[], Any]] = {
        "score": lambda: scored(False),
        "score --skip-unusable": lambda: scored(True),
    }
    if table is not None:
        found["predictions"] = lambda: predicted(False)
        found["predictions --skip-unusable"] = lambda: predicted(True)
        if listed.stem.endswith("-index"):
            found["check"] = lambda: check_submission(table, listed)
    return found


def lists(root: Path) -> dict[str, tuple[Path, Path | None]]:
    """Write a list in each format; return it and its predictions."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from lists import write_casia, write_mfc, write_plain, write_release, write_table

    plain = write_plain(root / "plain")
    rows = plain.read_text().splitlines()[1:]
    names = [row.split(",")[:2] for row in rows]
    masks = [[row.split(",")[3] or "empty", row.split(",")[4] or "empty"] for row in rows]
    columns = ["probe", "donor", "score", "probe_mask", "donor_mask"]
    lines = [[*pair, k / 3, *both] for k, (pair, both) in enumerate(zip(names, masks, strict=True))]
    theirs = write_table(root / "plain" / "predicted.csv", [columns, *lines])
    index = write_mfc(root / "mfc")
    outputs = "OutputProbeMaskFileName|OutputDonorMaskFileName"
    system = [f"ProbeFileID|DonorFileID|ConfidenceScore|{outputs}|ProbeStatus|DonorStatus"]
    folder = root / "mfc" / "reference" / "splice"
    for name in ("raw", "shifted"):
        files = f"mask/{name}-probe.png|mask/{name}-donor.png"
        system.append(f"p-{name}|d-{name}|0.5|{files}|Processed|Processed")
    system.append("p-other|d-raw|0.5|||Processed|OptOutLocalization")
    (folder / "system.csv").write_text("\n".join(system))
    return {
        "plain": (plain, theirs),
        "release": (write_release(root / "release"), None),
        "casia": (write_casia(root / "casia"), None),
        "mfc": (index, folder / "system.csv"),
    }


def campaign(count: int, seed: int) -> tuple[Counter[str], dict[str, str]]:
    """Score mutated lists; return how they ended, and each other exception's first case.

    Args:
        count: Number of mutations.
        seed: Seed of the mutations.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret
    ended: Counter[str] = Counter()
    wrong: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        made = lists(Path(scratch) / "made")
        for number in range(count):
            name = rng.choice(list(made))
            copy = Path(scratch) / str(number) / name
            shutil.copytree(Path(scratch) / "made" / name, copy)
            listed, table = (
                each and copy / each.relative_to(Path(scratch) / "made" / name)
                for each in made[name]
            )
            assert listed is not None
            files = sorted(path for path in copy.rglob("*") if path.is_file())
            tables = [path for path in files if path.suffix == ".csv"]
            victim = rng.choice(tables if rng.random() < 0.6 else files)
            done = f"{number}: {victim.relative_to(copy)}: {mutate(victim, rng)}"
            way, run = rng.choice(list(ways(copy.parent / "out", table, listed).items()))
            try:
                run()
                ended["accepted"] += 1
            except CisdlError as error:
                ended["refused in lines" if "\n" in str(error) else "refused"] += 1
            except Exception as error:
                ended["another exception"] += 1
                kind = f"{name}, {way}: {type(error).__name__}: {str(error)[:80]}"
                wrong.setdefault(kind, done)
            shutil.rmtree(copy.parent)
    return ended, wrong


def main() -> None:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    ended, wrong = campaign(asked.count, asked.seed)
    print(dict(ended))
    for kind, case in wrong.items():
        print(f"{kind}\n  {case}")


if __name__ == "__main__":
    main()
