"""Mutated results and lists end in a line or in success, never in another exception.

``benchmarks/mutated_results.py`` and ``mutated_lists.py`` are the same campaigns at full length.
"""

import importlib.util
from pathlib import Path
from typing import Any

from conftest import REPOSITORY, Heard, make

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.models.find import find_detector
from cisdl_bench.results.run_summary import write_summary
from cisdl_bench.scoring.jobs import make_score_jobs
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.run import score


def campaign_of(name: str) -> Any:
    """Return a campaign of ``benchmarks`` as a module."""
    path = REPOSITORY / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_mutated_list_ends_in_another_exception() -> None:
    ended, wrong = campaign_of("mutated_lists").campaign(90, seed=0)
    assert wrong == {}
    assert ended["refused"] > 25
    assert ended["accepted"] > 20
    assert "refused in lines" not in ended


def test_no_mutation_ends_in_another_exception(coco: Path, tmp_path: Path) -> None:
    module = campaign_of("mutated_results")
    make(coco, tmp_path / "data", "combination", pairs=4)
    make(coco, tmp_path / "data", "training", pairs=6)
    sets = ["combination", "training"]
    jobs = make_score_jobs([tmp_path / "data"], sets, "none,jpeg:70", ListOptions(), Heard())
    score(find_detector("random"), jobs, tmp_path / "random", ScoreOptions(), Heard())
    write_summary(tmp_path / "random")
    ended, wrong = module.campaign(tmp_path / "random", 130, seed=0, readers_each=1)
    assert wrong == {}
    assert ended["refused"] > 40
    assert ended["accepted"] > 25
    assert "refused in lines" not in ended
