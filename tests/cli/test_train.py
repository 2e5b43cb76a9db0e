"""`train`, `plot growth`, and scoring what they leave, as typed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from training.conftest import make_pairs
from training.test_unlabelled import NO_MASKS, imported

from cisdl_bench.cli.main import main
from cisdl_bench.training.experiments import experiments


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def place(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to work in: pairs of 64 px and two narrow experiments of the user's own."""
    folder = tmp_path_factory.mktemp("place")
    make_pairs(coco, folder / "cisdl-data", 33)
    root = Path(__file__).parent.parent.parent / "data_specs" / "experiments"
    for name, mine in (("dmac", "mine"), ("adv-bce-0.01-0.01-1e-5", "mine-adv")):
        text = (root / f"{name}.toml").read_text()
        text = text.replace(f'name = "{name}"', f'name = "{mine}"', 1)
        text = text.replace('start = "dmac"', 'start = "mine"')
        (folder / f"{mine}.toml").write_text(text.replace("\nepochs", "\nwidth = 0.125\nepochs"))
    return folder


def test_two_stages_scored_and_drawn(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    quick = ("--batch-size", 11, "--epochs", 1, "--log-every", 1)
    missing = typed("train", "mine-adv.toml", *quick)
    assert missing.exit_code == 2
    assert "cisdl-training/mine/mine.pt: expected the result of mine" in missing.output
    on = ("--evaluate-on", "cisdl-data/training", "--evaluate-pairs", 6, "--evaluate-every", 2)
    shown = typed("train", "mine.toml", *quick, *on)
    assert shown.exit_code == 0, shown.output
    assert "initial weights: He initialisation (no --init: VGG-16 not used)" in shown.stderr
    assert "cisdl-training/mine/mine.pt: 3 steps, finished" in shown.stdout
    again = typed("train", "mine.toml", *quick, *on)
    assert "3 steps, finished" in again.stdout
    second = typed("train", "--experiment", "mine-adv.toml", *quick, "--json")
    assert second.exit_code == 0, second.output
    assert "no evaluation: no combination sets beside the data" in second.stderr
    assert json.loads(second.stdout)["step"] == 3
    drawn = typed("plot", "growth", "cisdl-training/mine", "--published", "DMVN")
    assert drawn.stdout.strip() == "cisdl-training/mine/growth.png"
    assert Path("cisdl-training/mine/growth.png").read_bytes().startswith(b"\x89PNG")
    for form in ("pdf", "svg"):
        assert typed("plot", "growth", "cisdl-training/mine", "-o", f"g.{form}").exit_code == 0
    model = "cisdl-training/mine-adv/mine-adv.pt"
    scored = typed("score", model, "--set", "training", "--detector", "det")
    assert scored.exit_code == 0, scored.output
    assert "AUC-det" in scored.stdout
    refused = typed("score", model, "--set", "training", "--detector", "mask")
    assert "Use --overwrite to replace them" in refused.output
    masks = typed("score", model, "--set", "training", "--detector", "mask", "-o", "masks")
    assert "AUC " in masks.stdout
    assert "AUC-det" not in masks.stdout
    both = typed("table", "cisdl-scores/mine-adv", "--layout", "paper-3", "-f", "csv").stdout
    assert [line.split(",")[1] for line in both.splitlines()[1:]] == ["mine-adv", "mine-adv-det"]
    alone = typed("table", "masks", "--layout", "paper-3", "-f", "csv").stdout
    assert len(alone.splitlines()) == 2
    cells = [[line.split(",")[k] for k in (2, 3)] for line in (both.splitlines()[1],)]
    assert cells == [[alone.splitlines()[1].split(",")[k] for k in (2, 3)]]


def test_the_list_names_every_experiment() -> None:
    shown = typed("train", "--list")
    assert len(shown.stdout.splitlines()) == len(experiments()) >= 22
    assert "adv-bce-0.01-0.01-1e-5 (dmac-adv)" in shown.stdout


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("train",), "give the NAME of an experiment"),
        (("train", "dmak"), "Did you mean dmac?"),
        (
            ("train", "dmac", "--from", "x.pt"),
            "--from x.pt: dmac builds on no other experiment. Leave --from out",
        ),
        (("train", "dmac", "--data", "gone"), "gone/manifest.json: expected a set's manifest"),
        (("train", "dmac", "--device", "cuda:7"), "--device: expected a device of this machine"),
        (("plot", "growth", "gone"), "gone/evaluation.csv: expected a log of `cisdl-bench train`"),
        (("plot", "growth", "gone", "-o", "x.txt"), "x.txt: expected an ending out of .png"),
        (("score", "empty", "--detector", "det"), "--detector det: expected a checkpoint with a"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = typed(*words)
    assert shown.exit_code == 2
    assert text in shown.stderr
    assert not (tmp_path / "cisdl-training").exists()


def test_a_run_without_evaluations_has_no_curve(place: Path, tmp_path: Path) -> None:
    (tmp_path / "evaluation.csv").write_text("step,pairs,set,iou,mcc,nmm\n")
    shown = typed("plot", "growth", tmp_path)
    assert "evaluation.csv: the run was not evaluated" in shown.stderr


def test_pairs_without_masks_are_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = imported(tmp_path, {0: NO_MASKS})
    monkeypatch.chdir(tmp_path)
    refused = typed("-q", "train", "dmac", "--data", data, "--batch-size", 2)
    assert refused.exit_code == 2
    assert "1 of 3 without, such as pairs/0 has no mask of its probe and donor" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not Path("cisdl-training").exists()
    absurd = typed("train", "dmac", "--data", data, "--batch-size", 100_000)
    assert absurd.exit_code == 2
    assert "dmac: batch: expected 1 to 4,096, got 100000" in absurd.stderr
