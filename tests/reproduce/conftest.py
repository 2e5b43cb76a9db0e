"""A target of the tests' own: pictures of 64 px, networks of an eighth of the channels."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cisdl_bench.cli.main import main
from cisdl_bench.reproduce.targets import load_target
from cisdl_bench.specs import spec_text

ROOT = Path(__file__).parent.parent.parent
TARGET = """
name = "tiny"
version = 1
title = "Tiny: Table I"
source = "a test"
layout = "paper-1"
sets = ["combination.toml"]
training = "training.toml"
photographs = { train = 82_783, val = 40_504 }

[evaluation]
sets = ["combination.toml"]
pairs = 2
times = 3

[growth]
published = ["DMVN", "DMAC"]

[rows.dmvn]
method = "DMVN"
model = "dmvn"

[rows.first]
method = "DMAC"
experiment = "mine.toml"

[rows.second]
method = "DMAC+adv-bce"
experiment = "mine-adv.toml"
"""
#: Options of a run that takes seconds.
QUICK = ("--pairs", 4, "--training-pairs", 12, "--jobs", 1)


def typed(*words: object) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a target, two sets and two experiments of a user's own."""
    write_target(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_target(folder: Path) -> None:
    """Write a target and what it names."""
    folder.mkdir(exist_ok=True)
    (folder / "tiny.toml").write_text(TARGET)
    for name in ("combination", "training"):
        text = spec_text(name).replace("size = 256 ", "size = 64 ")
        (folder / f"{name}.toml").write_text(text)
    for name, mine in (("dmac", "mine"), ("adv-bce-0.01-0.01-1e-5", "mine-adv")):
        text = (ROOT / "data_specs" / "experiments" / f"{name}.toml").read_text()
        text = text.replace(f'name = "{name}"', f'name = "{mine}"', 1).replace('also = ["dm', "#")
        text = text.replace('start = "dmac"', 'start = "mine"').replace("batch = 24", "batch = 6")
        text = text.replace("epochs = 3", "epochs = 2").replace(
            "\nepochs", "\nwidth = 0.125\nepochs"
        )
        (folder / f"{mine}.toml").write_text(text)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a table that was written as CSV."""
    import csv

    with path.open(newline="") as file:
        return list(csv.DictReader(file))


__all__ = ["QUICK", "load_target", "rows_of", "typed", "write_target"]
