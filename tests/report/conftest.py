"""Scoring runs of methods that need no time."""

from pathlib import Path

import pytest
from conftest import Heard, make

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.models.find import find_detector
from cisdl_bench.results.run_summary import write_summary
from cisdl_bench.scoring.jobs import make_score_jobs
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.run import score


@pytest.fixture(scope="session")
def scored(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The oracle and random answers on a Combination set, also perturbed, and on all kinds."""
    root = tmp_path_factory.mktemp("scored")
    make(coco, root / "data", "combination", pairs=40)
    make(coco, root / "data", "training", pairs=24)
    found = []
    for name in ("oracle", "random"):
        sets = ["combination", "training"]
        jobs = make_score_jobs([root / "data"], sets, None, ListOptions(), Heard())
        jobs += make_score_jobs(
            [root / "data"], sets[:1], "jpeg:80,jpeg:40,blur:2", ListOptions(), Heard()
        )
        score(find_detector(name), jobs, root / name, ScoreOptions(), Heard())
        write_summary(root / name)
        found.append(root / name)
    return found
