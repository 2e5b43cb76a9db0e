"""Work on a Dask cluster of separate processes, one of them killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import content
from joblib import delayed

from cisdl_bench.cli.main import main
from cisdl_bench.engine import EngineError, engine, workers

pytest.importorskip("distributed")

HEAR: list[str] = []


class Cluster:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.processes: list[subprocess.Popen[bytes]] = []
        where = root / "scheduler.json"
        flags = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.start("scheduler", *flags, "--scheduler-file", str(where))
        until = time.monotonic() + 90
        while not where.exists() and time.monotonic() < until:
            time.sleep(0.05)
        self.address: str = json.loads(where.read_text())["address"]

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with (self.root / f"{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]],
                cwd=self.root,
                env=environment,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def worker(self, threads: int = 1) -> subprocess.Popen[bytes]:
        flags = ("--nthreads", str(threads), "--no-nanny", "--no-dashboard")
        return self.start("worker", self.address, *flags)

    def wait(self, workers: int) -> None:
        from distributed import Client

        with Client(self.address, timeout=60, set_as_default=False) as client:
            if workers:
                client.wait_for_workers(workers, timeout=60)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "cluster").mkdir()
    found = Cluster(tmp_path / "cluster")
    yield found
    for process in found.processes:
        process.kill()
        process.wait()


def typed(*words: object) -> str:
    shown = CliRunner().invoke(main, [str(word) for word in words])
    assert shown.exit_code == 0, shown.output
    return shown.output


def test_a_killed_worker_costs_only_time(cluster: Cluster, coco: Path, tmp_path: Path) -> None:
    workers = [cluster.worker(), cluster.worker(threads=2)]
    cluster.wait(2)
    words = ("generate", "--set", "all", "--pairs", 60, "--coco", coco)
    dask = ("--backend", "dask", "--scheduler", cluster.address)
    command = [sys.executable, "-m", "cisdl_bench", *words, "--out", tmp_path / "dask", *dask]
    running = subprocess.Popen(
        [str(word) for word in command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    while running.poll() is None and not list((tmp_path / "dask").glob("*/shard-*.h5")):
        time.sleep(0.01)
    workers[0].send_signal(signal.SIGKILL)
    _, said = running.communicate(timeout=200)
    assert running.returncode == 0, said.decode()
    assert b"Dask: 2 workers of 2 threads" in said
    assert b"start them with --nthreads 1" in said
    typed(*words, "--out", tmp_path / "local", "--jobs", 1)
    assert content(tmp_path / "dask") == content(tmp_path / "local")
    scored = ("score", "luo-blocks", "--data", tmp_path / "local", "--set", "raw-easy")
    few = tmp_path / "few"
    typed(
        "generate",
        "--set",
        "raw",
        "--difficulty",
        "easy",
        "--pairs",
        3,
        "--coco",
        coco,
        "--out",
        few,
    )
    scored = ("score", "luo-blocks", "--data", few)
    typed(*scored, "-o", tmp_path / "s1", *dask)
    typed(*scored, "-o", tmp_path / "s2", "--workers", 1)
    rows = [(tmp_path / s / "raw-easy" / "pairs.csv").read_text() for s in ("s1", "s2")]
    assert rows[0] == rows[1]


def test_a_cluster_without_workers_is_refused(cluster: Cluster) -> None:
    cluster.wait(0)
    with (
        pytest.raises(EngineError, match="expected workers, got none. Start some: dask worker"),
        engine("dask", cluster.address, HEAR.append),
    ):
        pass


@pytest.mark.parametrize(
    ("backend", "scheduler", "message"),
    [
        ("dask", None, "expected the address of a scheduler, got none. Add --scheduler"),
        ("local", "tcp://127.0.0.1:1", "expected --backend dask, got local. Add --backend dask"),
        ("dask", "tcp://127.0.0.1:1", "expected a Dask scheduler that answers, got "),
        ("dask", "http//x", "expected an address such as tcp://node1:8786, got another form"),
    ],
)
def test_what_is_wrong_is_one_line(
    backend: str, scheduler: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cisdl_bench.engine._PATIENCE_S", 0.5)
    with pytest.raises(EngineError, match=message), engine(backend, scheduler, HEAR.append):
        pass


def test_processes_started_in_a_folder_that_is_gone_are_not_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        monkeypatch.chdir(folder)
        assert workers(2)([delayed(os.getcwd)()] * 2) == [str(folder)] * 2
