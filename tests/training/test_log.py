"""What a run writes down, what decides its weights, and the orders its pairs come in."""

import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from training.conftest import small
from training.test_epoch_order import order
from training.test_run import FAST, Ears

from cisdl_bench.errors import RunError
from cisdl_bench.store.torch_view import PairDataset
from cisdl_bench.training.epoch_order import EpochOrder
from cisdl_bench.training.feed import Part, feed
from cisdl_bench.training.kinds import find_kinds
from cisdl_bench.training.log import Log, read_log
from cisdl_bench.training.run import train

OF = small("dmac", batch=11, epochs=1)


def test_a_line_of_history_is_the_mean_of_its_steps(pairs64: Path, tmp_path: Path) -> None:
    for every in (1, 2):
        choices = replace(FAST, log_every=every, save_every=100)
        train(OF, [pairs64], tmp_path / f"{every}", choices, Ears())
    single, double = (read_log(tmp_path / name / "history.csv") for name in ("1", "2"))
    losses = [float(line["loss"]) for line in single]
    assert len(set(losses)) == 3
    assert [line["pairs"] for line in single] == ["11", "22", "33"]
    assert [line["epoch"] for line in single] == ["0.3333", "0.6667", "1.0000"]
    assert [line["step"] for line in double] == ["2", "3"]
    found = [float(line["loss"]) for line in double]
    assert found == pytest.approx([(losses[0] + losses[1]) / 2, losses[2]])


def test_the_first_loss_is_that_of_the_first_batch(pairs64: Path, tmp_path: Path) -> None:
    """Computed here from the pairs that the order names, without flips or swaps."""
    from cisdl_bench.training.initial_weights import make_networks

    of = replace(OF, flip=0.0, swap=0.0)
    train(of, [pairs64], tmp_path, FAST, Ears())
    dataset = PairDataset([pairs64])
    first = EpochOrder(find_kinds(dataset), 0.0, 0.0, 0, "pairs").take(0, 11)
    batch = dataset.__getitems__(first.pairs.tolist())
    network = make_networks(of, 0, None, None).networks["network"].train()
    with torch.no_grad():
        answer = network(batch["probe"], batch["donor"])
    expected = 0.0
    for side, logits in zip(("probe", "donor"), answer, strict=True):
        chance = logits.double().softmax(1).numpy()
        share = batch[f"{side}_mask"].numpy().reshape(11, 8, 8, 8, 8).mean((2, 4))
        truth = (share >= 0.5).astype(int)
        expected -= np.log(np.take_along_axis(chance, truth[:, None], 1)).mean()
    loss = float(read_log(tmp_path / "history.csv")[0]["loss"])
    assert loss == pytest.approx(expected, rel=1e-4)


def test_evaluation_is_not_counted_as_training(
    pairs64: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, passed = time.perf_counter, [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: plain() + passed[0])

    def evaluate(network: nn.Module) -> list[dict[str, Any]]:
        passed[0] += 10_000
        return []

    choices = replace(FAST, evaluate_every=1)
    record = train(OF, [pairs64], tmp_path, choices, Ears(), evaluate=evaluate)
    assert passed[0] == 30_000
    assert record["seconds"] < 5000
    assert all(float(line["seconds"]) < 5000 for line in read_log(tmp_path / "history.csv"))


def test_whatever_decides_the_weights_is_another_run(pairs64: Path, tmp_path: Path) -> None:
    def refused(key: str, of: Any = OF, data: Any = None, **more: Any) -> None:
        choices = replace(FAST, max_minutes=0, **more.pop("choices", {}))
        with pytest.raises(RunError, match=f"the run of this command .{key}: "):
            train(of, data or [pairs64], tmp_path / "a", choices, Ears(), **more)

    stop = replace(FAST, max_minutes=0)
    train(OF, [pairs64], tmp_path / "a", stop, Ears())
    refused("data", data=[pairs64, pairs64])
    refused("seed", choices={"seed": 3})
    refused("precision", choices={"precision": "bf16"})
    refused("parts_of_a_batch", choices={"pieces": 11})
    refused("experiment_sha256", of=replace(OF, optimizer=replace(OF.optimizer, learning_rate=0.5)))
    train(replace(OF, batch=33), [pairs64], tmp_path / "b", stop, Ears())
    star = small("dmac-star", batch=11)
    starts = [tmp_path / name / "dmac.pt" for name in ("a", "b")]
    train(star, [pairs64], tmp_path / "star", stop, Ears(), start=starts[0])
    with pytest.raises(RunError, match="begins_with: checkpoint"):
        train(star, [pairs64], tmp_path / "star", stop, Ears(), start=starts[1])


def test_pairs_of_every_set_are_counted(pairs64: Path) -> None:
    places = np.concatenate(find_kinds(PairDataset([pairs64, pairs64])))
    assert sorted(places) == list(range(66))


def test_reading_draws_nothing_from_the_networks_stream(pairs64: Path) -> None:
    dataset = PairDataset([pairs64])
    torch.manual_seed(0)
    before = torch.get_rng_state()
    source = feed(dataset, EpochOrder(find_kinds(dataset), 0.5, 0.5, 0, "pairs"), Part(6), 0, "cpu")
    assert len(list(islice(source, 3))) == 3
    source.close()
    assert torch.equal(torch.get_rng_state(), before)


def test_epochs_and_kinds_are_drawn_apart() -> None:
    drawn = order().take(0, 180)
    for values in (drawn.flip, drawn.swap):
        assert (values[:90] != values[90:]).any()
    first, second = (drawn.pairs[k:90:3] // 3 for k in (0, 1))
    assert sorted(first) == sorted(second)
    assert (first != second).any()


def test_a_log_of_another_version_goes_on_in_our_columns(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("step,old,loss\n1,a,0.5\n2,b,0.25\n3,c,0.1\n")
    log = Log(path, ("step", "loss", "new"))
    log.cut(2)
    log.add({"step": 3, "loss": 0.2, "new": 7})
    assert path.read_text() == "step,loss,new\n1,0.5,\n2,0.25,\n3,0.2,7\n"
