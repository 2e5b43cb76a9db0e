"""Loggers beside the CSV files: TensorBoard, and one of a made-up kind."""

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import Heard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training.conftest import small

from cisdl_bench.errors import RunError
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.records import Pixels
from cisdl_bench.training.evaluation import first_pairs
from cisdl_bench.training.log import read_log
from cisdl_bench.training.loggers import LOGGERS
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.run import train

OF = small("dmac", batch=11, epochs=2)


def evaluate(_: object) -> list[dict[str, Any]]:
    return [{"set": "combination-easy", "iou": 0.25, "mcc": 0.5, "nmm": float("nan")}]


def run(out: Path, pairs: Path, *log_to: str, **more: Any) -> dict[str, Any]:
    options = TrainOptions(log_every=2, save_every=2, evaluate_every=3, log_to=log_to)
    shown = first_pairs([pairs])
    return train(OF, [pairs], out, options, Heard(), evaluate=evaluate, shown=shown, **more)


def test_tensorboard_has_the_numbers_of_the_files(pairs64: Path, tmp_path: Path) -> None:
    run(tmp_path / "a", pairs64, "tensorboard")
    events = EventAccumulator(str(tmp_path / "a" / "tensorboard"))
    events.Reload()
    lines = read_log(tmp_path / "a" / "history.csv")
    told = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert told == [(int(v["step"]), pytest.approx(float(v["loss"]), rel=1e-6)) for v in lines]
    assert [event.value for event in events.Scalars("combination-easy/iou")] == [0.25, 0.25]
    assert math.isnan(events.Scalars("combination-easy/nmm")[0].value)
    (tag,) = events.Tags()["images"]
    sheets = events.Images(tag)
    assert [sheet.step for sheet in sheets] == [3, 6]
    assert sheets[0].height == 128
    assert sheets[0].encoded_image_string.startswith(b"\x89PNG")


def test_weights_do_not_depend_on_it(pairs64: Path, tmp_path: Path) -> None:
    heard: list[tuple[str, int, Any]] = []

    class MadeUp:
        def add_scalars(self, scalars: Mapping[str, float], step: int) -> None:
            heard.append(("scalars", step, dict(scalars)))

        def add_picture(self, name: str, picture: Pixels, step: int) -> None:
            heard.append(("picture", step, picture.shape))

        def close(self) -> None:
            heard.append(("close", 0, None))

    run(tmp_path / "a", pairs64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LOGGERS, "made-up", lambda folder, step: MadeUp())
        run(tmp_path / "b", pairs64, "made-up", "made-up")
    assert [(kind, step) for kind, step, _ in heard] == [
        *[("scalars", 2), ("scalars", 3), ("scalars", 3), ("picture", 3), ("scalars", 4)],
        *[("scalars", 6), ("scalars", 6), ("picture", 6), ("close", 0)],
    ]
    weights = [load_checkpoint(tmp_path / k / "dmac.pt").network.state_dict() for k in "ab"]
    assert all(value.equal(weights[1][name]) for name, value in weights[0].items())


def test_what_cannot_be_told_is_refused_before_training(pairs64, tmp_path, monkeypatch) -> None:
    with pytest.raises(RunError, match="--log-to: expected one of tensorboard, got 'wandb'"):
        run(tmp_path / "a", pairs64, "wandb")
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(RunError, match=r"pip install 'cisdl-bench\[tensorboard\]'"):
        run(tmp_path / "b", pairs64, "tensorboard")
