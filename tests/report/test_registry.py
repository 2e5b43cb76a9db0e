"""A new figure is one file."""

import subprocess
import sys
from pathlib import Path

from conftest import Heard

from cisdl_bench.report import figures
from cisdl_bench.report.page import page

FIGURE = '''"""How many pairs there are in each set."""

from cisdl_bench.report.drawing import new_figure
from cisdl_bench.report.figure import Figure
from cisdl_bench.report.methods import gathered


def draw(runs, options, progress):
    results, _ = gathered(runs)
    figure, axes = new_figure(3, 2)
    counts = {result.set: result.record["summary"]["pairs"] for result in results}
    axes[0, 0].bar(list(counts), list(counts.values()))
    return figure


FIGURE = Figure(draw, "Pairs of each set", place=9)
'''
RUN = """
import sys
from cisdl_bench.report import figures
figures.__path__.append(sys.argv[1])
from cisdl_bench.cli.main import main
main(sys.argv[2:])
"""


def test_a_file_is_a_figure_of_plot_and_of_the_report(
    scored: list[Path], tmp_path: Path, monkeypatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "sizes.py").write_text(FIGURE)
    target = tmp_path / "sizes.png"
    words = [str(folder), "plot", "sizes", str(scored[0]), "-o", str(target)]
    shown = subprocess.run(
        [sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert target.read_bytes().startswith(b"\x89PNG")
    words = [str(folder), "plot", "--help"]
    shown = subprocess.run(
        [sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=True
    )
    assert "sizes       How many pairs there are in each set." in shown.stdout
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(folder)])
    text = page(scored[:1], tmp_path / "r.html", Heard(), worst=0)
    assert 'id="figure-sizes"' in text
    assert text.index('id="figure-det"') < text.index('id="figure-sizes"')
