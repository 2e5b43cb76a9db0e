"""`reproduce` as typed: whole on small pictures, resumed after any kill, refused in a line."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from lists import write_casia
from reproduce.conftest import QUICK, rows_of, typed, write_target
from training.test_run import same

from cisdl_bench.generation.set_run import SetRun
from cisdl_bench.reproduce import generate_step, score_step, train_step
from cisdl_bench.scoring import run as scoring
from cisdl_bench.training import run as training
from cisdl_bench.training.log import read_log


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


@pytest.fixture(scope="module")
def whole(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run in the folder ``out`` beside its target."""
    folder = tmp_path_factory.mktemp("whole")
    write_target(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shown = typed("-q", "reproduce", "tiny.toml", *QUICK, "--coco", coco, "-o", "out")
    assert shown.exit_code == 0, shown.output
    (folder / "shown.txt").write_text(shown.stdout)
    return folder


def test_it_says_what_it_takes_and_ends_with_verdicts(whole: Path) -> None:
    text = (whole / "shown.txt").read_text()
    order = ["generate combination", "generate training", "train mine from He", "train mine-adv"]
    order += ["score mine on 3 sets, 12 pairs", "score mine-adv", "in all about", " GB free)"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "lacks  dmvn: a checkpoint, --model dmvn=FILE" in text
    assert "| DMAC+adv-bce (0.01, 0.01, 1e-5) | combination-easy | IoU | " in text
    assert "NOT THE PAPER'S PROTOCOL: 4 pairs in each test set instead of 3,000, 12 train" in text
    lines = rows_of(whole / "out" / "tiny" / "verdicts.csv")
    assert len(lines) == 27  # three rows, three sets, three metrics
    assert [line["verdict"] for line in lines[:9]] == ["not reproduced"] * 9
    assert {line["verdict"] for line in lines[9:]} <= {"within", "below", "above", "undefined"}
    counted = [line for line in text.splitlines() if line.endswith("9 not reproduced")]
    assert len(counted) == 1
    for line in lines[9:]:
        if line["verdict"] == "below":
            assert float(line["ours_high"]) < float(line["published"])
        assert float(line["difference"]) == pytest.approx(
            float(line["ours"]) - float(line["published"])
        )


def test_the_numbers_are_those_of_the_results(whole: Path) -> None:
    for line in rows_of(whole / "out" / "tiny" / "verdicts.csv")[9:]:
        name = "mine" if line["method"] == "DMAC" else "mine-adv"
        path = whole / "out" / "scores" / name / line["set"] / "result.json"
        summary = json.loads(path.read_text())["summary"]
        metric = line["metric"].lower()
        for column, key in (("ours", ""), ("ours_low", "_low"), ("ours_high", "_high")):
            assert float(line[column]) == pytest.approx(summary[f"{metric}{key}"])


def test_tables_and_the_figure_are_written(whole: Path) -> None:
    folder = whole / "out" / "tiny"
    endings = ("csv", "md", "tex")
    names = {f"{stem}.{ending}" for stem in ("table", "verdicts") for ending in endings}
    assert {path.name for path in folder.iterdir()} == names | {"growth.png", "growth.pdf"}
    assert "documentclass" in (folder / "verdicts.tex").read_text()
    published = [line for line in rows_of(folder / "table.csv") if line["source"] == "published"]
    assert len(published) == 21
    evaluated = read_log(whole / "out" / "training" / "mine" / "evaluation.csv")
    assert len({line["step"] for line in evaluated}) >= 3


def test_a_finished_run_does_nothing(whole: Path, coco: Path, monkeypatch: Any) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("a finished step ran")

    monkeypatch.setattr(generate_step, "make_sets", refuse)
    monkeypatch.setattr(train_step, "train", refuse)
    monkeypatch.setattr(score_step, "run_jobs", refuse)
    monkeypatch.chdir(whole)
    made = whole / "out"
    before = {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file() and p.name != ".lock"}
    shown = typed("-q", "reproduce", "tiny.toml", *QUICK, "--coco", coco, "-o", "out")
    assert shown.exit_code == 0, shown.output
    assert "to do" not in shown.stdout
    after = {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file() and p.name != ".lock"}
    assert after == before


def test_what_is_done_is_known_without_the_sets(whole: Path, coco: Path, tmp_path: Path) -> None:
    """The training set takes 40 GB: it may be removed once everything is trained."""
    copied = Path(shutil.copytree(whole, tmp_path / "copy"))
    shutil.rmtree(copied / "out" / "data" / "training")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(copied)
        words = ("reproduce", "tiny.toml", *QUICK, "--coco", coco, "-o", "out")
        assert "to do" not in typed(*words, "--dry-run").stdout
        shutil.rmtree(copied / "out" / "training" / "mine-adv")
        shutil.rmtree(copied / "out" / "scores" / "mine-adv")
        lines = typed(*words, "--dry-run").stdout.splitlines()
    todo = [line.split()[2:4] for line in lines if line.startswith("  to do")]
    assert todo == [["generate", "training:"], ["train", "mine-adv"], ["score", "mine-adv"]]


def outcome(folder: Path) -> dict[str, bytes]:
    """What must not depend on how often a run was killed."""
    kept = ("tiny/*.csv", "scores/*/*/pairs.csv", "training/*/evaluation.csv", "data/*/shard-*.h5")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for one in kept
        for path in folder.glob(one)
    }


def killed_after(plain: Any, calls: int) -> Any:
    count = 0

    def call(*words: Any, **more: Any) -> Any:
        nonlocal count
        result = plain(*words, **more)
        count += 1
        if count == calls:
            raise Killed
        return result

    return call


@pytest.mark.parametrize(
    ("kept", "owner", "name", "calls"),
    [
        ((), generate_step, "make_sets", 1),  # between two steps
        (("data", "training"), score_step, "run_jobs", 1),
        ((), SetRun, "add", 2),  # within one
        (("data",), training, "save", 3),
        (("data", "training"), scoring, "finish", 2),
    ],
)
def test_killed_anywhere_it_ends_in_the_same_bytes(
    whole: Path,
    coco: Path,
    place: Path,
    kept: tuple[str, ...],
    owner: Any,
    name: str,
    calls: int,
) -> None:
    """A run is killed in a step; what ``kept`` names was made by the steps before it."""
    for folder in kept:
        shutil.copytree(whole / "out" / folder, place / "out" / folder)
    target = place / "tiny.toml"
    target.write_text(target.read_text().replace("[growth]\npublished =", "# "))
    words = ("-q", "reproduce", "tiny.toml", *QUICK, "--coco", coco, "-o", "out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, killed_after(getattr(owner, name), calls))
        with pytest.raises(Killed):
            typed(*words)
    assert not (place / "out" / "tiny").exists()
    shown = typed(*words)
    assert shown.exit_code == 0, shown.output
    assert outcome(place / "out") == outcome(whole / "out")
    for run in ("mine", "mine-adv"):
        checkpoints = [root / "out" / "training" / run / f"{run}.pt" for root in (whole, place)]
        assert same(*checkpoints)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--seed", 1), "(seed: 1), got another one (seed: 0)"),
        (("--pairs", 5), "(pairs: 5), got another one (pairs: 4)"),
        (("--training-pairs", 15), "(training_pairs: 15), got"),
        (("--precision", "bf16"), "(precision: bf16), got"),
    ],
)
def test_a_changed_setting_is_refused(
    whole: Path, coco: Path, monkeypatch: pytest.MonkeyPatch, words: Any, text: str
) -> None:
    monkeypatch.chdir(whole)
    shown = typed("-q", "reproduce", "tiny.toml", *QUICK, *words, "--coco", coco, "-o", "out")
    assert shown.exit_code == 2
    assert text in shown.stderr
    assert "Choose another --out, or repeat its options." in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


def test_other_photographs_are_refused(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole)
    shown = typed("-q", "reproduce", "tiny.toml", *QUICK, "-o", "out")
    assert shown.exit_code == 2
    assert "(photographs: val2014-" in shown.stderr


def test_what_builds_on_a_changed_checkpoint_is_refused(
    whole: Path, coco: Path, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(whole, tmp_path / "copy"))
    training, scores = copied / "out" / "training", copied / "out" / "scores"
    shutil.copyfile(training / "mine-adv" / "mine-adv.pt", training / "mine" / "mine.pt")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(copied)
        words = ("reproduce", "tiny.toml", *QUICK, "--coco", coco, "-o", "out", "--dry-run")
        shown = typed(*words)
        assert shown.exit_code == 2
        assert "training/mine-adv holds another run, its begins_with differs" in shown.stderr
        shutil.rmtree(training / "mine-adv")
        shown = typed(*words)
        assert shown.exit_code == 2
        assert "scores/mine/combination-difficult holds scores of another" in shown.stderr
        shutil.rmtree(scores)
        assert "to do  train mine-adv from mine.pt" in typed(*words).stdout


def test_rows_are_chosen_by_their_names_and_only_what_they_need_is_made(
    place: Path, coco: Path
) -> None:
    words = ("reproduce", "tiny.toml", *QUICK, "--coco", coco, "--dry-run")
    shown = typed(*words, "--rows", "first").stdout
    assert "1 of 3 rows" in shown
    assert "mine-adv" not in shown
    both = typed(*words, "--rows", "first,second").stdout
    assert "train mine-adv from mine.pt" in both
    unknown = typed(*words, "--rows", "frist")
    assert unknown.exit_code == 2
    assert "--rows: " in unknown.stderr
    assert "Did you mean first" in unknown.stderr


def test_a_given_checkpoint_is_scored_instead_of_trained(
    whole: Path, place: Path, coco: Path
) -> None:
    model = whole / "out" / "training" / "mine" / "mine.pt"
    words = ("-q", "reproduce", "tiny.toml", "--pairs", 4, "--coco", coco, "--jobs", 1, "-o", "out")
    shown = typed(*words, "--rows", "first", "--model", f"mine={model}")
    assert shown.exit_code == 0, shown.output
    assert not (place / "out" / "training").exists()
    assert not (place / "out" / "data" / "training").exists()
    lines = rows_of(place / "out" / "tiny" / "verdicts.csv")
    kept = [line for line in rows_of(whole / "out/tiny/verdicts.csv") if line["method"] == "DMAC"]
    assert lines == kept
    unknown = typed(*words, "--model", f"mina={model}")
    assert "--model: " in unknown.stderr
    assert "Did you mean mine" in unknown.stderr
    nothing = typed(*words, "--rows", "dmvn")
    assert "none of the rows can be measured. Give a checkpoint by --model" in nothing.stderr
    gone = typed(*words, "--model", "dmvn=gone.h5")
    assert "--model dmvn=gone.h5: expected a checkpoint, got no such file" in gone.stderr


def test_missing_weights_are_refused_before_anything_is_made(place: Path, coco: Path) -> None:
    words = ("-q", "reproduce", "table-1", "--rows", "dmac", "--pairs", 2, "--coco", coco)
    refused = typed(*words)
    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1
    assert "cisdl-bench fetch vgg16" in refused.stderr
    assert "--init he" in refused.stderr
    assert not Path("cisdl-reproduce/data/combination-easy").exists()
    wrong = typed(*words, "--init", "gone.pth")
    assert "--init gone.pth: expected a file of weights, got no such file" in wrong.stderr
    Path("junk.pth").write_bytes(b"no weights")
    broken = typed(*words, "--init", "junk.pth")
    assert broken.exit_code == 2
    assert "junk.pth" in broken.stderr


def test_paired_casia_is_asked_for_and_then_measured(place: Path) -> None:
    words = ("-q", "reproduce", "table-3", "--rows", "luo-blocks", "--jobs", 1)
    refused = typed(*words)
    assert refused.exit_code == 2
    assert "Give their list (ProbeID,DonorID,Label) by --data" in refused.stderr
    write_casia(Path())
    shown = typed(*words, "--data", "paired_CASIA_ids.csv", "--images", "CASIA2")
    assert shown.exit_code == 0, shown.output
    assert not Path("cisdl-reproduce/data").exists()  # no photographs are needed
    lines = rows_of(Path("cisdl-reproduce/table-3/verdicts.csv"))
    assert [line["set"] for line in lines] == ["paired_CASIA_ids"] * 4
    assert [line["published"] for line in lines] == ["0.9969", "0.5353", "0.6966", "0.7677"]
    assert "2 of 8,642 pairs" in Path("cisdl-reproduce/table-3/verdicts.md").read_text()
    other = typed(*words, "--data", ".", "--images", "CASIA2")
    assert other.exit_code == 0
    needless = typed("reproduce", "table-1", "--data", "paired_CASIA_ids.csv")
    assert "table-1 generates its sets. Leave it out." in needless.stderr
    Path("other.csv").write_text("probe,donor,label\n")
    wrong = typed(*words, "--data", "other.csv")
    assert "--data other.csv: expected a list with the columns ProbeID" in wrong.stderr


def test_what_its_folder_holds_is_not_believed(whole: Path, coco: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(whole, tmp_path / "copy"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(copied)
        # Absolute: rows are kept in memory by their path.
        words = ("-q", "reproduce", "tiny.toml", *QUICK, "--coco", coco, "-o", copied / "out")
        pairs = Path("out/scores/mine/combination-easy/pairs.csv")
        right = pairs.read_text()
        pairs.write_text(right.replace(",1,", ",0,", 1))
        shown = typed(*words)
        assert shown.exit_code == 2
        assert "pairs.csv" in shown.stderr
        pairs.write_text(right)
        Path("out/rates.json").write_text('{"rates": {"cpu": {"train": {"pairs_per_second": -1}}}}')
        assert typed(*words).exit_code == 0
        Path("out/settings.json").write_text("{}")
        shown = typed(*words)
        assert shown.exit_code == 2
        assert "out/settings.json" in shown.stderr


def test_real_photographs(coco_mini: Path, place: Path) -> None:
    words = ("-q", "reproduce", "tiny.toml", *QUICK, "--coco", coco_mini, "--rows", "first")
    shown = typed(*words)
    assert shown.exit_code == 0, shown.output
    assert "NOT THE PAPER'S PROTOCOL" in shown.stdout
    assert "photographs for val instead of 40,504" in shown.stdout
