"""Model cards, read by the Hugging Face hub's own library."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Heard
from huggingface_hub import ModelCard
from training.conftest import small

from cisdl_bench.hashing import hash_file
from cisdl_bench.training.card import KEPT
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.run import train

METRICS = {"iou": 0.25, "mcc": 0.5, "nmm": float("nan")}


def evaluate(_: object) -> list[dict[str, Any]]:
    return [{"set": name, **METRICS} for name in ("combination-easy", "combination-normal")]


@pytest.fixture(scope="module")
def trained(pairs64: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    options = TrainOptions(log_every=1)
    train(small("dmac", batch=11, epochs=3), [pairs64], out, options, Heard(), evaluate=evaluate)
    return out


def test_the_hub_reads_a_card_and_its_figures(trained: Path) -> None:
    card = ModelCard.load(trained / "dmac.md")
    assert card.data.license == "other"
    assert card.data.library_name == "cisdl-bench"
    results = {(r.dataset_name, r.metric_type): r.metric_value for r in card.data.eval_results}
    sets = ("combination-easy", "combination-normal")
    assert results == {(s, m): METRICS[m] for s in sets for m in ("iou", "mcc")}  # never NaN


def test_a_card_says_what_the_run_was(trained: Path) -> None:
    text = (trained / "dmac.md").read_text()
    loss = (trained / "history.csv").read_text().splitlines()[-1].split(",")[5]
    for words in (
        hash_file(trained / "dmac.pt"),
        "33 pairs of ",
        "He initialisation",
        "| Steps | 9 of 9, of 11 pairs, 3 epochs in all |",
        f"| Loss at the end | {float(loss):.4f} |",
        "| combination-easy | 0.2500 | 0.5000 | nan |",
        "cisdl-bench score dmac.pt",
    ):
        assert words in text, words


def test_what_a_person_wrote_stays(trained: Path, pairs64: Path) -> None:
    card = trained / "dmac.md"
    card.write_text(card.read_text().replace("# dmac", "# changed") + "Mine.\n")
    (trained / "training.json").write_text(
        (trained / "training.json").read_text().replace('"complete": true', '"complete": false')
    )
    options = TrainOptions(log_every=1)
    train(
        small("dmac", batch=11, epochs=3), [pairs64], trained, options, Heard(), evaluate=evaluate
    )
    assert "# changed" not in card.read_text()
    assert card.read_text().endswith(f"{KEPT}\nMine.\n")
    train(
        small("dmac", batch=11, epochs=3),
        [pairs64],
        trained,
        options,
        Heard(),
        name="x",
        overwrite=True,
    )
    assert not card.exists()
