from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import Heard
from torch import nn

from cisdl_bench.generation.jobs import make_set_jobs
from cisdl_bench.generation.run import make_sets
from cisdl_bench.models.networks.vgg import BLOCKS
from cisdl_bench.sources.coco import open_coco
from cisdl_bench.specs import spec_text
from cisdl_bench.store.folder import DataFolder
from cisdl_bench.training.experiments import Experiment, OptimizerSpec, load_experiment

SIDE = 64


def small(name: str, **changes) -> Experiment:
    """An experiment with an eighth of the channels and small batches."""
    return replace(load_experiment(name), width=0.125, **{"batch": 6, **changes})


ADAM = OptimizerSpec("adam", 3e-4)


def make_pairs(coco: Path, out: Path, pairs: int) -> Path:
    """Generate a training set of 64 px."""
    text = spec_text("training").replace("size = 256 ", f"size = {SIDE} ")
    out.mkdir(exist_ok=True)
    (out / "small.toml").write_text(text)
    source = open_coco(coco, "train", out / "index")
    set_jobs = make_set_jobs([str(out / "small.toml")], [], lambda _: source, seed=0, pairs=pairs)
    make_sets(set_jobs, DataFolder(out), Heard())
    return out / "training"


@pytest.fixture(scope="session")
def pairs64(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pairs(coco, tmp_path_factory.mktemp("pairs64"), 33)


def write_vgg(path: Path) -> None:
    """Write a file of VGG-16's keys and shapes, its numbers drawn."""
    torch.manual_seed(0)
    state, place, channels = {}, 0, 3
    for block in BLOCKS:
        for after in block:
            conv = nn.Conv2d(channels, after, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.normal_(conv.bias, std=0.1)
            state |= {f"features.{place}.{k}": v for k, v in conv.state_dict().items()}
            place, channels = place + 2, after
        place += 1
    state["classifier.0.weight"] = torch.zeros(1)
    torch.save(state, path)


def write_hed(path: Path) -> None:
    """Write a file of the names and shapes of HED's Keras file, its numbers drawn."""
    numbers = np.random.default_rng(0)
    channels = 3
    with h5py.File(path, "w") as file:
        for block, counts in enumerate(BLOCKS, start=1):
            for k, after in enumerate(counts):
                layer = f"block{block}/layers/conv2d{f'_{k}' if k else ''}/vars"
                deviation = (2 / (9 * channels)) ** 0.5
                kernel = numbers.normal(0, deviation, (3, 3, channels, after))
                file[f"{layer}/0"] = kernel.astype(np.float32)
                file[f"{layer}/1"] = numbers.normal(0, 0.1, after).astype(np.float32)
                channels = after
        file["dsn1/vars/0"] = np.zeros((1, 1, 64, 1), np.float32)
