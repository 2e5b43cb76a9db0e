"""The commands that score: what they say, and how they refuse."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cisdl_bench.cli.main import main
from cisdl_bench.models.classical.registry import PAIR_DETECTORS
from cisdl_bench.models.detection import Detection, View
from cisdl_bench.scoring.rows import read_rows


def typed(*words: object) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_score_says_where_and_how_it_went(made: Path, tmp_path: Path) -> None:
    shown = typed("score", "oracle", "--data", made, "-o", tmp_path / "run")
    assert shown.exit_code == 0
    (line,) = [line for line in shown.stdout.splitlines() if "combination-normal" in line]
    assert "combination-normal: 20 pairs, " in line
    assert "IoU 1.0000, MCC 1.0000, NMM 1.0000" in line
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


@dataclass(frozen=True)
class LeftHalf:
    """A made-up method: the left half of both pictures, by a score of its own."""

    name: str = "left-half"
    identity: str = "left-half 1"
    sees_truth: bool = False

    def detect_pair(self, view: View) -> Detection:
        mask = np.zeros(view.probe.shape[:2], np.float32)
        mask[:, : mask.shape[1] // 2] = 1
        return Detection(mask, mask, 0.75)


def test_a_new_method_is_one_entry(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PAIR_DETECTORS, "left-half", f"{LeftHalf.__module__}:LeftHalf")
    words = ("--data", made, "-o", tmp_path / "run", "--jobs", 1, "--save-masks", "--json")
    (result,) = json.loads(typed("-q", "score", "left-half", *words).stdout)
    rows = read_rows(tmp_path / "run" / "combination-normal" / "pairs.csv")
    assert (rows["probe_tp"] + rows["probe_fp"] == 256 * 128).all()
    assert (rows["own_score"] == 0.75).all()
    assert 0 < result["summary"]["iou"] < 1
    picture = tmp_path / "photo.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(picture)
    shown = typed("detect", picture, picture, "-o", tmp_path / "found", "--json")
    assert "left-half" in json.loads(shown.stdout)["methods"]


def test_a_table_goes_to_a_file_of_its_ending(made: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    typed("score", "oracle", "--data", made, "-o", run)
    for name, begins in (("t.tex", "\\begin{table}"), ("t.csv", "source,"), ("t.md", "| Method")):
        assert typed("table", run, "--layout", "paper-1", "-o", tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_text().startswith(begins)
    head = typed("table", run).stdout.splitlines()[0]
    assert head.startswith("| Method | Set | Pairs | ")
    assert "| IoU | MCC | NMM | F1 |" in head


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["score", "modle.pt"], "modle.pt: expected a checkpoint file, module:factory, hf:owner/"),
        (["score", "empty", "--data", "gone"], "gone: there is no set"),
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


def test_what_is_finished_is_kept_until_overwrite(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("score", "empty", "--data", made, "-o", tmp_path / "run", "--jobs", 1)
    assert "already scored" not in typed(*words).stderr
    path = tmp_path / "run" / "combination-normal" / "result.json"
    before = path.stat().st_mtime_ns
    kept = typed(*words)
    assert "combination-normal: already scored, kept; --overwrite scores it again" in kept.stderr
    assert path.stat().st_mtime_ns == before
    again = typed(*words, "--overwrite")
    assert "already scored" not in again.stderr
    assert path.stat().st_mtime_ns > before


def test_masks_are_made_when_they_are_asked_for_later(made: Path, tmp_path: Path) -> None:
    words = ("score", "random", "--data", made, "--jobs", 1, "-o")
    typed(*words, tmp_path / "at-once", "--save-masks")
    typed(*words, tmp_path / "later")
    folder = tmp_path / "later" / "combination-normal"
    rows = (folder / "pairs.csv").read_bytes()
    shown = typed(*words, tmp_path / "later", "--save-masks")
    assert "masks of 20 pairs that were scored without" in shown.stderr
    assert (folder / "pairs.csv").read_bytes() == rows
    masks = {path.name: path.read_bytes() for path in (folder / "masks").iterdir()}
    other = tmp_path / "at-once" / "combination-normal" / "masks"
    assert masks == {path.name: path.read_bytes() for path in other.iterdir()}
    (folder / "masks" / "000003-donor.png").unlink()
    shown = typed(*words, tmp_path / "later", "--save-masks")
    assert "masks of 1 pairs that were" in shown.stderr
    assert (folder / "masks" / "000003-donor.png").exists()
    assert "already scored, kept" in typed(*words, tmp_path / "later", "--save-masks").stderr


def test_each_set_is_said_and_summed_up_as_it_finishes(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cisdl_bench.results import describe

    seen: list[tuple[int, int]] = []
    line = describe.describe_result

    def watched(result: dict) -> str:
        summary = (tmp_path / "r" / "summary.csv").read_text().splitlines()
        seen.append((len(seen) + 1, len(summary) - 1))
        return line(result)

    monkeypatch.setattr(describe, "describe_result", watched)
    names = ("--set", "combination", "--set", "training", "--perturb", "none,jpeg:70")
    shown = typed("score", "empty", "--data", made, "-o", tmp_path / "r", "--jobs", 1, *names)
    assert seen == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert len(shown.stdout.splitlines()) == 4


def test_suggested_commands_can_be_pasted(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "a b & [c]"
    shown = typed("score", "empty", "--data", made, "-o", out, "--jobs", 1)
    assert f"cisdl-bench table '{out}'" in shown.stderr


def test_endings_of_tables_are_known_or_refused(made: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    typed("score", "empty", "--data", made, "-o", run, "--jobs", 1)
    for name in ("t.xlsx", "t"):
        shown = typed("table", run, "-o", tmp_path / name)
        assert shown.exit_code == 2
        assert f"{name}: expected an ending out of .csv, .tex, .md, .html" in shown.stderr
        assert not (tmp_path / name).exists()
    assert typed("table", run, "-f", "csv", "--out", tmp_path / "t.txt").exit_code == 0


@pytest.mark.parametrize("option", ["-o", "--out", "--output"])
def test_every_output_has_one_name(made: Path, tmp_path: Path, option: str) -> None:
    run = tmp_path / "run"
    typed("score", "empty", "--data", made, "-o", run, "--workers", 1)
    data = made / "combination-normal"
    for words, name in (
        (("table", run), "t.md"),
        (("plot", "heatmap", run), "p.png"),
        (("report", run, "--worst", 0), "r.html"),
        (("compare", run, run), "c.csv"),
        (("preview", data, "--count", 1), "s.png"),
    ):
        assert typed(*words, option, tmp_path / name).exit_code == 0, words
        assert (tmp_path / name).exists()


def test_json_is_strict(made: Path, tmp_path: Path) -> None:
    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is no JSON")

    words = ("score", "empty", "--data", made, "-o", tmp_path / "run", "--json", "--jobs", 1)
    (result,) = json.loads(typed(*words).stdout, parse_constant=refuse)
    assert result["summary"]["mask_precision"] is None
    shown = typed("compare", tmp_path / "run", tmp_path / "run", "--json")
    assert json.loads(shown.stdout, parse_constant=refuse)["comparisons"]


def test_the_demo_says_where_weights_are_to_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cisdl_bench.demo.demo", lambda *_: iter(()))
    shown = typed("demo", "--out", tmp_path / "a b", "--jobs", 1)
    assert shown.exit_code == 0
    text = shown.stdout
    page, weights = text.index("github.com/yaqiliu-cs/CISDL-DMAC"), text.index("DMAC-adv.pth")
    assert page < weights
    assert f"cisdl-bench report '{tmp_path / 'a b' / 'scores' / 'sift-ransac'}'" in text


def test_an_old_result_beside_is_said_and_stops_nothing(made: Path, tmp_path: Path) -> None:
    words = ("score", "empty", "--data", made, "-o", tmp_path / "run", "--jobs", 1)
    typed(*words)
    (tmp_path / "run" / "other-set").mkdir()
    (tmp_path / "run" / "other-set" / "result.json").write_text('{"complete": true}')
    shown = typed(*words, "--set", "training")
    assert shown.exit_code == 0
    assert "not in the summary: " in shown.stderr
    assert "other-set/result.json: expected the key request" in shown.stderr
    assert len((tmp_path / "run" / "summary.csv").read_text().splitlines()) == 3
    assert typed("table", tmp_path / "run").exit_code == 2
