"""A user's own network is known by its sources, tensors and settings."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from cisdl_bench.errors import ModelError
from cisdl_bench.models.checkpoints import program_identity
from cisdl_bench.models.checkpoints.program import ForeignNetwork
from cisdl_bench.models.checkpoints.program_identity import hash_program
from cisdl_bench.models.detectors import NetworkDetector
from cisdl_bench.models.find import find_detector

PAIR = torch.randint(0, 256, (2, 1, 3, 8, 8), dtype=torch.uint8)

FILES = {
    "mine.py": """
import torch
from parts import half
import pack.inner as inner
K = 1.0
class Mine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
        self.level = 0.25
        self.register_buffer("quiet", torch.zeros(3), persistent=False)
        self.register_buffer("scalar", torch.tensor(3.0))
    def forward(self, probe, donor):
        from late import same
        return same(half(probe)), half(donor) * inner.ONE
def network(): return Mine()
def plain(scale=0.5):
    weight = torch.full((1,), scale)
    return lambda p, d: (p.mean(1) * weight, d.mean(1) * weight)
""",
    "parts.py": "from deeper import mean\ndef half(x): return mean(x) * 0.5\n",
    "deeper.py": "def mean(x): return x.mean(1)\n",
    "late.py": "def same(x): return x\n",
    "pack/__init__.py": "",
    "pack/inner.py": "from . import sibling\nfrom .other import ONE\n",
    "pack/sibling.py": "X = 1\n",
    "pack/other.py": "ONE = 1.0\n",
    "unrelated.py": "Y = 1\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names = ("mine", "parts", "deeper", "late", "pack", "unrelated")
    for name in [n for n in sys.modules if n.split(".")[0] in names]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def found(text: str = "mine:network") -> NetworkDetector:
    detector = find_detector(text)
    assert isinstance(detector, NetworkDetector)
    return detector


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("mine.py", "same(half(probe))", "same(half(donor))"),
        ("parts.py", "* 0.5", "* 0.4"),
        ("deeper.py", "x.mean(1)", "x.amax(1)"),
        ("late.py", "return x", "return x "),
        ("pack/__init__.py", "", "Z = 1"),
        ("pack/sibling.py", "X = 1", "X = 2"),
        ("pack/other.py", "1.0", "0.5"),
        ("mine.py", "torch.ones(2", "torch.zeros(2"),
        ("mine.py", "0.25", "0.75"),
        ("mine.py", "torch.zeros(3)", "torch.ones(3)"),
    ],
)
def test_any_edit_is_another_network(folder: Path, name: str, old: str, new: str) -> None:
    before = found()
    assert found().identity == before.identity
    text = FILES[name].replace(old, new, 1) if old else new
    assert text != FILES[name]
    (folder / name).write_text(text)
    assert found().identity != before.identity
    (folder / name).write_text(FILES[name])
    assert found().identity == before.identity


def test_the_edited_source_is_what_runs(folder: Path) -> None:
    """In one second and with one size, so that a compiled file would pass for the new one."""
    probe, donor = PAIR
    first = found().network.detect(probe, donor)
    torch.testing.assert_close(first.probe, probe.float().mean(1) / 510)
    (folder / "deeper.py").write_text(FILES["deeper.py"].replace("x.mean(1)", "x.amax(1)"))
    again = found().network.detect(probe, donor)
    torch.testing.assert_close(again.probe, probe.float().amax(1) / 510)
    assert not list(folder.rglob("*.pyc"))


def test_what_is_not_imported_does_not_count(folder: Path) -> None:
    before = found().identity
    (folder / "unrelated.py").write_text("Y = 2")
    assert found().identity == before


def test_what_a_plain_function_carries_counts(folder: Path) -> None:
    before = found("mine:plain").identity
    assert found("mine:plain").identity == before
    text = FILES["mine.py"]
    (folder / "weights.txt").write_text("0.5")
    read = text.replace("weight = ", "scale = float(open('weights.txt').read()); weight = ")
    (folder / "mine.py").write_text(read)
    half = found("mine:plain").identity
    (folder / "weights.txt").write_text("0.4")
    assert found("mine:plain").identity != half


def test_weights_alone_make_another_network(folder: Path) -> None:
    import mine

    def identity(change: float) -> str | None:
        network = mine.Mine()
        with torch.no_grad():
            network.w[0] += change
        return hash_program("mine:network", mine, ForeignNetwork(network, "mine"))

    assert identity(0) == identity(0)
    assert identity(0) != identity(0.25)


@pytest.mark.parametrize(
    "value",
    [
        torch.tensor(1.0),
        torch.zeros(0),
        torch.ones(2, 3, dtype=torch.bfloat16),
        torch.ones(3, dtype=torch.float8_e4m3fn),
        torch.ones(2, dtype=torch.complex64),
        torch.ones(3, 3).to_sparse(),
        torch.ones(4, 4).T,
        torch.tensor([True]),
    ],
)
def test_every_kind_of_tensor_has_bytes(folder: Path, value: torch.Tensor) -> None:
    import mine

    class Holds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("value", value)

    Holds.__module__ = "mine"
    assert hash_program("mine:network", mine, ForeignNetwork(Holds(), "mine"))


def test_without_a_source_nothing_is_resumed_and_it_is_said(folder: Path) -> None:
    module = type(sys)("made_here")
    exec(FILES["mine.py"], module.__dict__)
    sys.modules["made_here"] = module
    try:
        first, second = found("made_here:network"), found("made_here:network")
    finally:
        del sys.modules["made_here"]
    assert first.identity != second.identity
    assert first.identity.startswith("source unknown")
    assert "made_here:network: its source or tensors cannot be read" in first.note
    assert found().note == ""


def test_an_edited_forward_makes_results_stale(folder: Path, made: Path) -> None:
    """As typed: scored, scored again, edited and refused, scored anew with --overwrite."""
    words = ["score", "mine:network", "--data", made / "combination-normal", "-o", "scores"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def typed(*more: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "cisdl_bench", *map(str, words), *more]
        return subprocess.run(line, capture_output=True, text=True, env=environment)

    assert typed().returncode == 0
    rows = (folder / "scores" / "combination-normal" / "pairs.csv").read_bytes()
    (folder / "parts.py").write_text(FILES["parts.py"].replace("* 0.5", "* 1.0"))
    refused = typed()
    assert refused.returncode == 2
    assert "expected results of this command (identity: " in refused.stderr
    assert "--overwrite" in refused.stderr
    assert typed("--overwrite").returncode == 0
    assert (folder / "scores" / "combination-normal" / "pairs.csv").read_bytes() != rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "gone/patchcorr.py",
            r"Write patchcorr:network, from the folder gone; network\(\) returns",
        ),
        ("mine.py", r"expected module:factory .* got a Python file. Write mine:network; network"),
        ("mine.py:network", r"expected the name of a Python module, got 'mine.py'. Write mine:net"),
        ("late.py", "Write late:same"),
        ("gone_module:network", "expected a module that can be imported, got 'No module named"),
        ("broken:network", "expected a module that can be imported, got '.*line 1"),
        (":network", "expected the name of a Python module"),
        ("dmac", "expected a network's checkpoint, got a name alone: .*`cisdl-bench train` wrote"),
        ("DMAC-adv", "a network needs weights.*the authors' DMAC-adv.pth"),
        ("dmvn", "a network needs weights"),
        ("sift", r"got no such file\. Did you mean sift-ransac"),
        ("blocks", "Did you mean luo-blocks or zernike-blocks"),
        ("Dense-Fields", "Did you mean dense-field"),
        ("xyz", "got no such file. Check the path"),
    ],
)
def test_what_a_person_types_instead(folder: Path, text: str, message: str) -> None:
    (folder / "broken.py").write_text("def (\n")
    with pytest.raises(ModelError, match=message) as caught:
        find_detector(text)
    assert "\n" not in str(caught.value)


def test_of_an_installed_package_its_file_and_version_count(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies beside it in the folder of all packages is not read: there is no end to it."""
    site = tmp_path / "site-packages"
    (site / "layers").mkdir(parents=True)
    (site / "layers" / "__init__.py").write_text(
        "import beside\nfrom torch import nn\n\nclass Layer(nn.Module):\n    pass\n"
    )
    (site / "beside.py").write_text("VALUE = 1\n")
    info = site / "layers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: layers\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("layers\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(program_identity, "_INSTALLED", {site})
    module = importlib.import_module("layers")
    first = hash_program("layers:Layer", module, module.Layer())
    (site / "beside.py").write_text("VALUE = 2\n")
    assert hash_program("layers:Layer", module, module.Layer()) == first
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: layers\nVersion: 1.1\n")
    newer = hash_program("layers:Layer", module, module.Layer())
    (site / "layers" / "__init__.py").write_text("# edited\n")
    edited = hash_program("layers:Layer", module, module.Layer())
    assert len({first, newer, edited}) == 3
