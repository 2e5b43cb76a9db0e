"""The examples run, and the notebook's kept outputs are those of its cells."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
NOTEBOOK = EXAMPLES / "first_look.ipynb"


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a network's class is looked up by its module
    spec.loader.exec_module(module)
    return module


def test_a_network_of_ones_own_is_trained_and_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    load("train_your_own").main(pairs=36)
    loop, call = capsys.readouterr().out.splitlines()
    assert loop.startswith("mean IoU 0.")
    assert f"IoU {loop.split()[-1]}," in call


def test_a_hugging_face_model_is_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    import cisdl_bench as cb

    monkeypatch.chdir(tmp_path)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.Dinov2Config(**sizes, image_size=56, patch_size=14)
    transformers.Dinov2Model(config).save_pretrained("random-weights")
    (pairs,) = cb.generate("raw-easy", pairs=2, jobs=1, progress=False)
    matcher = load("score_hugging_face").PatchMatcher("random-weights")
    cb.score(matcher, pairs, progress=False)
    resumed = cb.score(matcher, pairs, progress=False)[0]
    assert resumed.summary["pairs"] == 2  # known again by its sources and weights


def test_the_notebook_runs(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(NOTEBOOK, 4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    *_, last = (cell for cell in notebook.cells if cell.cell_type == "code")
    loop, call = last.outputs[-1]["data"]["text/plain"].strip("()").split(", ")
    assert loop == call


def test_the_notebooks_outputs_are_kept_whole_and_small() -> None:
    assert NOTEBOOK.stat().st_size < 500_000
    cells = [c for c in json.loads(NOTEBOOK.read_text())["cells"] if c["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not any(output["output_type"] == "error" for output in outputs)
    shown = json.dumps(outputs)
    for kind in ("image/png", "text/html", "PairSet", "IoU"):
        assert kind in shown
    assert str(Path.home()) not in shown
