"""The commands that score: what they say, and how they refuse."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cisdl_bench.cli.main import main


def typed(*words: object) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_score_says_where_and_how_it_went(made: Path, tmp_path: Path) -> None:
    shown = typed("score", "oracle", "--data", made, "-o", tmp_path / "run")
    assert shown.exit_code == 0
    assert "combination-normal: 20 pairs, IoU 1.0000, MCC 1.0000, NMM 1.0000" in shown.stdout
    assert "a table: cisdl-bench table" in shown.stderr
    again = typed("-q", "score", "oracle", "--data", made, "-o", tmp_path / "run", "--json")
    (result,) = json.loads(again.stdout)
    assert result["summary"]["iou"] == 1
    assert again.stderr == ""
    for name in ("summary.csv", "summary.json"):
        assert (tmp_path / "run" / name).exists()


def test_detection_shows_where_there_are_negatives(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shown = typed("score", "oracle", "--data", made, "--set", "training", "-o", out)
    assert "AUC 1.0000, EER 0.0000" in shown.stdout


def test_a_table_goes_to_a_file_of_its_ending(made: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    typed("score", "oracle", "--data", made, "-o", run)
    for name, begins in (("t.tex", "\\begin{table}"), ("t.csv", "source,"), ("t.md", "| Method")):
        assert typed("table", run, "--layout", "paper-1", "-o", tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_text().startswith(begins)
    assert typed("table", run).stdout.startswith("| Method | Set | Pairs | IoU |")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["score", "modle.pt"], "modle.pt: expected a checkpoint file, module:factory, or one of"),
        (["score", "empty", "--data", "gone"], "gone: expected a generated set or a folder of"),
        (["score", "empty", "--perturb", "jpg:70"], "--perturb jpg:70: expected a step"),
        (["profile", "sift-ransac"], "sift-ransac: expected a network"),
        (["profile", "dmvn", "--size", "512"], "expected pictures of 256 px for dmvn, got 512"),
        (["table", "gone"], "gone: expected results of `cisdl-bench score`, got none"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words: list[str], message: str, made: Path) -> None:
    if words[0] == "score" and "--data" not in words:
        words = [*words, "--data", str(made)]
    shown = typed(*words)
    assert shown.exit_code == 2
    (line,) = [line for line in shown.stderr.splitlines() if line.startswith("cisdl-bench:")]
    assert message in line


def test_results_on_the_built_in_pictures_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CISDL_COCO", raising=False)
    monkeypatch.chdir(tmp_path)
    generated = ["--set", "combination", "--difficulty", "easy", "--pairs", 4, "--jobs", 1]
    assert typed("-q", "generate", *generated).exit_code == 0
    shown = typed("score", "oracle")
    assert "note: " in shown.stderr
    assert "not the paper's" in shown.stderr
    assert "not the paper's" in typed("table", "cisdl-scores/oracle", "--layout", "paper-1").stdout
