"""What a machine's share means for the number of processes."""

import os
import subprocess
import sys

import pytest

CODE = """
import os
os.sched_setaffinity(0, {next(iter(os.sched_getaffinity(0)))})
from cisdl_bench.scoring.options import make_options
from cisdl_bench.models.find import find_detector
print(make_options(find_detector("empty"), "auto", None, workers=None).workers)
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_processes_are_as_many_as_this_process_may_use() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
