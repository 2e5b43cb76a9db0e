import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cisdl_bench import __version__
from cisdl_bench.cli.main import main


def test_env_says_what_there_is(coco: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CISDL_COCO", raising=False)
    found = json.loads(CliRunner().invoke(main, ["env", "--json"]).stdout)
    assert found["versions"]["cisdl-bench"] == __version__
    assert {"torch", "numpy", "h5py", "distributed"} <= set(found["versions"])
    assert found["data"]["COCO val2014"] is None
    monkeypatch.setenv("CISDL_COCO", str(coco))
    shown = CliRunner().invoke(main, ["env"]).stdout
    assert f"COCO val2014             {coco}/val2014" in shown
    assert "VGG-16 weights           not found" in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell: str) -> None:
    shown = CliRunner().invoke(main, ["completion", shell])
    assert shown.exit_code == 0
    assert "_CISDL_BENCH_COMPLETE" in shown.stdout


def test_words_are_completed() -> None:
    asked = {
        "_CISDL_BENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": "cisdl-bench im",
        "COMP_CWORD": "1",
    }
    command = Path(sys.executable).with_name("cisdl-bench")
    shown = subprocess.run(
        [command], env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "plain,import"
