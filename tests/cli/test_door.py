"""Whatever ends a command ends it in one line, and no worker outlives its parent."""

import contextlib
import errno
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from cisdl_bench.cli import door
from cisdl_bench.cli.main import main
from cisdl_bench.errors import CisdlError, cause, next_step

CLI = [sys.executable, "-m", "cisdl_bench"]


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


class TerminatedWorkerError(Exception): ...


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (CisdlError("a: wrong."), 2, "a: wrong."),
        (PermissionError(errno.EACCES, "x", "/a/b"), 2, "/a/b: Permission denied. Ask its owner"),
        (OSError(errno.ENAMETOOLONG, "x", "y" * 400), 2, "y...: File name too long. Use a shorter"),
        (OSError(errno.ENOSPC, "x"), 2, "No space left on device. Free some space and run"),
        (UnicodeEncodeError("latin-1", "é", 0, 1, "no"), 2, "text that cannot be read or written"),
        (MemoryError(), 1, "not enough memory. What is finished is kept"),
        (pickle.PicklingError("no"), 1, "work that cannot be sent to other processes"),
        (TerminatedWorkerError("60 lines"), 1, "a worker process was killed, perhaps"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), 1, "a worker"),
        (RuntimeError("unable to allocate shared memory(shm) for file"), 1, "--shm-size 1g"),
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error."),
            1,
            "--shm-size 1g",
        ),
    ],
)
def test_each_kind_of_exception_has_its_line(capsys, error, code, text) -> None:
    assert door.exit_code(error) == code
    line = one_line(capsys.readouterr().err)
    assert line.startswith("cisdl-bench: ")
    assert text in line
    if " Details: " in line:
        log = Path(line.rpartition("Details: ")[2])
        assert type(error).__name__ in log.read_text()
        log.unlink()


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch) -> None:
    monkeypatch.setattr("cisdl_bench.specs.spec_names", lambda: 1 / 0)
    result = CliRunner().invoke(main, ["specs"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_causes_and_steps_fit_the_error() -> None:
    assert cause(ValueError("first. \nsecond")) == "first"
    assert next_step(ValueError("x"), "Do it") == "Do it"
    assert "ulimit" in next_step(OSError(errno.EMFILE, "x"), "Do it")
    assert "locked" in next_step(BlockingIOError(errno.EAGAIN, "x"), "Do it")


@pytest.mark.parametrize(
    "words",
    [
        ["score", "{long}"],
        ["score", "random", "--data", "{long}"],
        ["info", "{long}"],
        ["verify", "{long}"],
        ["table", "{long}"],
        ["generate", "--set", "raw", "--coco", "{long}"],
        ["generate", "--set", "raw", "--out", "{long}"],
        ["export", "{long}", "--format", "release"],
        ["train", "dmac", "--data", "{long}"],
        ["preview", "{long}"],
    ],
)
def test_a_name_that_is_too_long(words: list[str], tmp_path: Path) -> None:
    long = str(tmp_path / ("x" * 300))
    result = CliRunner().invoke(main, ["-q", *(w.format(long=long) for w in words)])
    assert result.exit_code == 2
    assert "too long. Use a shorter name" in one_line(result.stderr)


def test_a_full_disk_behind_stdout() -> None:
    with Path("/dev/full").open("w") as full:
        shown = subprocess.run([*CLI, "specs"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert shown.returncode == 2
    assert "No space left on device" in one_line(shown.stderr)


@pytest.mark.parametrize("encoding", ["utf-8:strict", "latin-1", "ascii"])
def test_a_name_that_stdout_cannot_say(encoding: str, made: Path, tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9-\xe2\x82\xac")
    Path(folder).symlink_to(made)
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    for words in (["verify", f"{folder}/training"], ["info", f"{folder}/training"]):
        shown = subprocess.run([*CLI, *words], env=environment, capture_output=True)
        assert shown.returncode == 0, shown.stderr
        assert b"60 pairs" in shown.stdout


def _started(coco: Path, out: Path) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """Start a long run; return it with its workers."""
    words = ["generate", "--set", "combination", "--difficulty", "easy", "--pairs", "90000"]
    words += ["--coco", str(coco), "--out", str(out), "--jobs", "2"]
    process = subprocess.Popen([*CLI, *words], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    workers: list[psutil.Process] = []
    while time.monotonic() < deadline and process.poll() is None:
        workers = []
        with contextlib.suppress(psutil.Error):  # one that has just ended
            children = psutil.Process(process.pid).children()
            workers = [each for each in children if "LokyProcess" in " ".join(each.cmdline())]
        if workers and (out / "combination-easy" / "manifest.json").exists():
            return process, workers
        time.sleep(0.02)
    raise AssertionError(process.communicate()[1])


def test_a_killed_worker_ends_the_run_in_a_line_and_the_same_command_goes_on(coco, tmp_path):
    process, workers = _started(coco, tmp_path)
    workers[0].kill()
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    line = one_line(stderr)
    assert "a worker process was killed" in line
    assert "run the same command again, with --jobs 1" in line
    assert (tmp_path / "combination-easy" / "manifest.json").exists()


def test_workers_end_with_their_parent(coco, tmp_path) -> None:
    process, workers = _started(coco, tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    _, alive = psutil.wait_procs(workers, timeout=3)
    assert alive == []


SLOW = """
import time
import torch


class Slow(torch.nn.Module):
    def forward(self, probe, donor):
        time.sleep(1)
        return probe[:, 0], donor[:, 0]


def network():
    return Slow()
"""


@pytest.mark.parametrize("victim", ["worker", "parent"])
def test_readers_of_a_network_end_as_workers_do(made: Path, tmp_path: Path, victim: str) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    words = ["score", "slow:network", "--data", str(made / "combination-normal"), "--workers", "2"]
    words += ["--batch-size", "1", "--device", "cpu", "-o", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = subprocess.Popen(
        [*CLI, "-q", *words], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    rows = tmp_path / "out" / "combination-normal" / "partial-0.csv"
    deadline = time.monotonic() + 90
    while not (rows.exists() and rows.stat().st_size) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    readers = psutil.Process(process.pid).children()
    assert readers
    (readers[-1] if victim == "worker" else process).send_signal(signal.SIGKILL)
    stderr = process.communicate(timeout=90)[1]
    _, alive = psutil.wait_procs(readers, timeout=3)
    assert alive == []
    if victim == "worker":
        assert process.returncode == 1
        assert "a worker process was killed" in one_line(stderr)


def test_a_scheduler_that_is_none(tmp_path: Path) -> None:
    for address in ("nonsense", "http://localhost:8786", "tcp://a b:1"):
        words = ["generate", "--set", "raw", "--pairs", "2", "--backend", "dask"]
        words += ["--scheduler", address, "--out", str(tmp_path)]
        shown = subprocess.run([*CLI, "-q", *words], capture_output=True, text=True)
        assert shown.returncode == 2
        assert "expected an address such as tcp://node1:8786" in one_line(shown.stderr)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_a_process_bound_to_one_core_starts_one_worker() -> None:
    bound = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from cisdl_bench.cli.options import _cores; from cisdl_bench.environment import _machine;"
        "print(_cores(), _machine()['cores'])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", bound], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == ["1", "1"]


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    command = f"mkdir gone; cd gone; rmdir ../gone; {' '.join(CLI)} env"
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "the current folder is gone" in one_line(done.stderr)
