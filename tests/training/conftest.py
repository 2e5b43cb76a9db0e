from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Heard

from cisdl_bench.generate.orders import drawn_orders
from cisdl_bench.generate.run import run
from cisdl_bench.sources.coco import open_coco
from cisdl_bench.specs import spec_text
from cisdl_bench.store.folder import DataFolder
from cisdl_bench.training.experiments import Experiment, OptimizerSpec, load_experiment

SIDE = 64


def small(name: str, **changes) -> Experiment:
    """An experiment with an eighth of the channels and small batches."""
    return replace(load_experiment(name), width=0.125, **{"batch": 6, **changes})


ADAM = OptimizerSpec("adam", 5e-4)


def make_pairs(coco: Path, out: Path, pairs: int) -> Path:
    """Generate a training set of 64 px."""
    text = spec_text("training").replace("size = 256 ", f"size = {SIDE} ")
    out.mkdir(exist_ok=True)
    (out / "small.toml").write_text(text)
    source = open_coco(coco, "train", out / "index")
    orders = drawn_orders([str(out / "small.toml")], [], lambda _: source, seed=0, pairs=pairs)
    run(orders, DataFolder(out), Heard())
    return out / "training"


@pytest.fixture(scope="session")
def pairs64(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pairs(coco, tmp_path_factory.mktemp("pairs64"), 33)
