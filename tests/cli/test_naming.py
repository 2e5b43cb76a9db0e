"""Names for paths, folders by variables, `models`, names and limits of `score`, log files."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import make

from cisdl_bench.cli.main import main
from cisdl_bench.models.classical.registry import PAIR_DETECTORS
from cisdl_bench.models.find import SHIPPED


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="cisdl-bench")


@pytest.fixture
def folders(coco: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, with the three variables naming folders elsewhere."""
    for name in ("data", "scores", "cache"):
        monkeypatch.setenv(f"CISDL_{name.upper()}", str(tmp_path / name))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    make(coco, tmp_path / "data", "raw", pairs=6)
    return tmp_path


def test_what_variables_name_is_where_things_go_and_are_found(folders: Path, coco: Path) -> None:
    made = typed(
        "-q",
        "generate",
        "-s",
        "scale",
        "--difficulty",
        "easy",
        "--pairs",
        3,
        "--coco",
        coco,
        "-j",
        1,
    )
    assert made.exit_code == 0, made.output
    assert (folders / "data" / "scale-easy" / "manifest.json").exists()
    assert (folders / "cache" / "index").is_dir()
    assert typed("-q", "score", "oracle", "-s", "scale", "-j", 1).exit_code == 0
    assert (folders / "scores" / "oracle" / "scale-easy" / "result.json").exists()
    for words in (
        ("info", "scale-easy"),
        ("verify", "scale-easy"),
        ("preview", "scale-easy", "--count", 1, "-o", folders / "sheet.png"),
        ("table", "oracle"),
        ("compare", "oracle", "oracle"),
    ):
        result = typed("-q", *words)
        assert result.exit_code == 0, result.output
    assert list(Path.cwd().iterdir()) == []


def test_a_folder_that_is_there_goes_before_a_name(folders: Path, coco: Path) -> None:
    make(coco, Path(), "raw", pairs=3)
    assert "3 pairs" in typed("verify", "raw-normal").stdout
    assert "6 pairs" in typed("verify", folders / "data" / "raw-normal").stdout


def test_a_limit_and_a_name(folders: Path) -> None:
    scored = typed("score", "random", "-s", "raw-normal", "--limit", 2, "--name", "chance", "-j", 1)
    assert scored.exit_code == 0, scored.output
    assert "raw-normal: 2 of 6 pairs" in scored.stdout
    table = typed("table", "chance").stdout
    assert "| chance | raw-normal | 2 |" in table
    assert "limited to 2 of 6 pairs" in table
    for name in ("a/b", ".", "..", "", " a", "a\nb"):
        refused = typed("score", "random", "--name", name)
        assert refused.exit_code == 2
        assert "--name" in refused.output


def test_a_limit_of_predictions_is_refused(folders: Path) -> None:
    refused = typed("score", "--predictions", "x.csv", "--limit", 2)
    assert refused.exit_code == 2
    assert "--limit is for a detector that runs" in refused.output


def test_a_run_leaves_a_log_and_a_refused_one_nothing(folders: Path) -> None:
    typed("score", "random", "-s", "raw-normal", "-j", 1)
    typed("-q", "score", "random", "-s", "raw-normal", "-j", 1, "--threshold", 0.25)
    log = (folders / "scores" / "random" / "score.log").read_text()
    assert log.count("(version") == 2
    assert "pairs: 6 in" in log
    assert "scores/random/raw-normal: 6 pairs, IoU" in log
    lines = log.splitlines()
    assert lines[-1].partition(" ended by: ")[2].startswith(f"{folders / 'scores' / 'random'}")
    assert any(line.endswith(" finished") for line in lines)
    typed("score", "random", "-s", "raw-normal", "-j", 1, "--threshold", 2, "-o", "new")
    typed("score", "random", "-s", "gone", "-o", "new")
    assert not Path("new").exists()


def test_a_log_that_cannot_be_written_stops_nothing(folders: Path) -> None:
    (folders / "scores" / "random" / "score.log").mkdir(parents=True)
    assert typed("-q", "score", "random", "-s", "raw-normal", "-j", 1).exit_code == 0


def test_models_lists_all_that_can_be_scored(folders: Path) -> None:
    typed("-q", "score", "random", "-s", "raw", "-j", 1)
    Path("cisdl-training/mine").mkdir(parents=True)
    Path("cisdl-training/mine/mine.pt").write_bytes(b"1234")
    listed: dict[str, Any] = {
        model["name"]: model for model in json.loads(typed("models", "--json").stdout)
    }
    assert set(PAIR_DETECTORS) | set(SHIPPED) <= set(listed)
    assert listed["random"]["scored_sets"] == 1
    assert listed["sift-ransac"]["scored_sets"] == 0
    assert listed["cisdl-training/mine/mine.pt"]["size"] == 4
    assert all(model["title"] for model in listed.values() if model["kind"] != "trained")
    assert listed["DMAC-adv.pth"]["get"].startswith("https://")
    assert listed["consensus-frozen"]["get"] == "cisdl-bench fetch hed"
    text = typed("models").stdout
    assert all(name in text for name in listed)
    assert "scored on 1 set" in text


def test_features_are_found_in_the_cache(folders: Path) -> None:
    (folders / "cache" / "hed").mkdir(parents=True)
    listed = {model["name"]: model for model in json.loads(typed("models", "--json").stdout)}
    assert listed["consensus-frozen"]["get"] == ""
    assert f"{os.environ['CISDL_CACHE']}" in typed("env").stdout


def test_options_stand_in_groups() -> None:
    text = typed("score", "--help").stdout.partition("\nWhich pairs")[2]
    places = [text.index(f"{title}:\n") for title in ("Where it runs", "Options")]
    assert places == sorted(places)
    assert text.index("--limit") < places[0] < text.index("--device") < places[1]
    main_help = typed("--help").stdout
    order = [main_help.index(f"\n{title}:\n") for title in ("Data", "Models", "Scores", "Looking")]
    assert order == sorted(order)


def test_this_folder_is_taken_by_its_dot(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folders / "data" / "raw-normal")
    scored = typed("score", "oracle", "--data", ".", "-o", folders / "dot", "-j", 1)
    assert "raw-normal: 6 pairs" in scored.output
    assert ".: sound, 6 pairs" in typed("verify", ".").stdout
    monkeypatch.chdir(folders / "dot")
    assert "| oracle | raw-normal | 6 |" in typed("table", ".").stdout
    monkeypatch.chdir(folders)
    refused = typed("table", ".")
    assert refused.exit_code == 2
    assert "expected results" in refused.output


def test_a_set_that_is_not_there_is_missed_among_others(folders: Path) -> None:
    refused = typed("score", "empty", "-s", "raw-normal", "-s", "nosuch")
    assert refused.exit_code == 2
    assert "--set nosuch: no set has that name" in refused.output
