"""Mutated results end in a line or in success, never in another exception.

``benchmarks/mutated_results.py`` is the same campaign at full length.
"""

import importlib.util
from pathlib import Path

from conftest import REPOSITORY, Heard, make

from cisdl_bench.models.detectors import find_detector
from cisdl_bench.scoring.orders import Lists, jobs_of
from cisdl_bench.scoring.results import write_summary
from cisdl_bench.scoring.run import score
from cisdl_bench.scoring.settings import Settings


def test_no_mutation_ends_in_another_exception(coco: Path, tmp_path: Path) -> None:
    path = REPOSITORY / "benchmarks" / "mutated_results.py"
    spec = importlib.util.spec_from_file_location("mutated_results", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    make(coco, tmp_path / "data", "combination", pairs=4)
    make(coco, tmp_path / "data", "training", pairs=6)
    sets = ["combination", "training"]
    jobs = jobs_of([tmp_path / "data"], sets, "none,jpeg:70", Lists(), Heard())
    score(find_detector("random"), jobs, tmp_path / "random", Settings(), Heard())
    write_summary(tmp_path / "random")
    ended, wrong = module.campaign(tmp_path / "random", 240, seed=0, readers_each=1)
    assert wrong == {}
    assert ended["refused"] > 80
    assert ended["accepted"] > 50
    assert "refused in lines" not in ended
