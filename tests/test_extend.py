"""The page on adding things: every block written into a copy of the toolkit, and used."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```\{code-block\} \w+\n:caption: ([^\n]+)\n\n(.*?)^```$", re.M | re.S)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
#: Tests of ours that see every set, metric and method: additions must not fail them.
INDIFFERENT = [
    ROOT / "tests" / name
    for name in (
        "test_specs.py",
        "transforms/test_registry.py",
        "metrics/test_registry.py",
        "scoring/test_rows.py",
    )
]
USE = """
import shlex, sys
from click.testing import CliRunner
from cisdl_bench.cli.main import main
for line in open("commands.txt"):
    words = shlex.split(line)[1:]
    if words[0] in ("generate", "score", "reproduce"):
        words += ["--jobs", "1"]
    shown = CliRunner().invoke(main, words, catch_exceptions=False)
    assert shown.exit_code == 0, (line, shown.output)
"""


def copy_toolkit(folder: Path) -> None:
    """The packages where an installation has them, importable from the folder."""
    kept = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "cisdl_bench", folder / "cisdl_bench", ignore=kept)
    for name in ("models", "cli", "data_specs"):
        shutil.copytree(ROOT / name, folder / "cisdl_bench" / name, ignore=kept)


def add(folder: Path, place: str, code: str) -> Path:
    """Write one block where its caption says."""
    name, _, where = place.partition(", ")
    path = (
        folder / name
        if name.startswith(("tests/", "cisdl_bench/"))
        else folder / "cisdl_bench" / name
    )
    if not where:
        assert not path.exists(), f"{place}: exists already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
        return path
    text = path.read_text()
    table = re.fullmatch(r"in `(\w+)`", where)[1]
    head = re.search(rf"^{table}: [^\n]+{{\n", text, re.M)[0]
    path.write_text(text.replace(head, f"{head}{code}", 1))
    return path


def test_one_of_each_is_added_and_used(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "extend.md").read_text("utf-8")
    copy_toolkit(tmp_path)
    tests = [add(tmp_path, place, code) for place, code in BLOCK.findall(page)]
    tests = [path for path in tests if path.name.startswith("test_")]
    assert len(tests) == 6
    for name in ("forged", "origin"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((40, 50, 3), dtype=np.uint8))
    cv2.imwrite(str(tmp_path / "where.png"), np.eye(40, 50, dtype=np.uint8) * 255)
    (tmp_path / "pasted.csv").write_text("forged,origin,where\nforged.png,origin.png,where.png\n")
    (tmp_path / "commands.txt").write_text("".join(COMMANDS.findall(page)))
    pytest_of = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ours = [*pytest_of, "-c", ROOT / "pyproject.toml", "--rootdir", ROOT, *INDIFFERENT]
    for command in ([*pytest_of, *tests], ours, ["-c", USE]):
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    table = (tmp_path / "table.csv").read_text()
    assert "fpr" in table.splitlines()[0]
    assert "shear" in (tmp_path / "scores" / "shear-normal" / "pairs.csv").read_text()
    assert ",area" in (tmp_path / "trained" / "history.csv").read_text().splitlines()[0]
    assert (tmp_path / "counts.png").stat().st_size > 1000
    assert (tmp_path / "scores-of-pasted" / "pasted" / "pairs.csv").exists()
    verdicts = (tmp_path / "reproduced" / "same-place" / "verdicts.csv").read_text()
    assert len(verdicts.splitlines()) == 10  # three sets, three metrics


def test_a_block_goes_where_its_caption_says(tmp_path: Path) -> None:
    folder = tmp_path / "cisdl_bench" / "models"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text('"""Doc."""\n\nTABLE: dict[str, int] = {\n    "b": 2,\n}\n')
    add(tmp_path, "models/a.py, in `TABLE`", '    "a": 1,\n')
    assert (folder / "a.py").read_text().splitlines()[3:5] == ['    "a": 1,', '    "b": 2,']
    with pytest.raises(AssertionError, match="exists already"):
        add(tmp_path, "models/a.py", "")
