"""Where parallel work runs: in processes of this machine, or on a Dask cluster.

Tasks carry absolute paths and write whole files, so any machine that sees the same folders under
the same names may run them, in any order and more than once.
"""

import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import joblib

from cisdl_bench.errors import CisdlError
from cisdl_bench.versions import read_versions

BACKENDS = ("local", "dask")
_WATCH_S = 0.5
_PATIENCE_S = 10  # until a scheduler must have answered
#: What decides the bytes of sets and rows: all workers must have the same.
_PACKAGES = ("cisdl-bench", "numpy", "opencv-python-headless", "pillow", "pycocotools", "h5py")


class EngineError(CisdlError):
    """A cluster cannot be used."""


def workers(jobs: int, **settings: Any) -> joblib.Parallel:
    """Return joblib's pool of processes, which end when this process does, however it ends.

    joblib reuses processes of an earlier pool, but only those that were started in this folder:
    relative paths mean the same in them, and a folder that is gone stops Intel's MKL.

    Args:
        jobs: Number of processes; -1 is one for each core that this process may use.
        settings: Of ``joblib.Parallel``.
    """
    # Loky replaces a worker that has grown, and no work is lost: nothing to warn of.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    place = (os.getpid(), str(Path.cwd()))
    return joblib.Parallel(n_jobs=jobs, initializer=end_with, initargs=place, **settings)


def reader_of_this_process() -> Callable[[int], None]:
    """Return a ``worker_init_fn`` of a torch ``DataLoader``: its workers end with this process."""
    return partial(end_with, os.getpid())


def end_with(parent: int, _key: object = None) -> None:
    """End this process when its parent, given by its number, is no longer there."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def engine(backend: str, scheduler: str | None, say: Callable[[str], None]) -> Iterator[None]:
    """Run what joblib runs inside on a backend.

    Args:
        backend: One of ``BACKENDS``.
        scheduler: Address of Dask's scheduler, such as ``tcp://node1:8786``.
        say: Hears what is to be known of the cluster.

    Raises:
        EngineError: There is no such cluster, it has no workers, or they have other versions.
    """
    if backend == "local":
        if scheduler:
            raise EngineError.expected(
                f"--scheduler {scheduler}", "--backend dask", "local", "Add --backend dask"
            )
        yield
        return
    with _connected(scheduler) as client:
        _check(client, say)
        with joblib.parallel_config(backend="dask", client=client):
            yield


@contextmanager
def _connected(scheduler: str | None) -> Iterator[Any]:
    if not scheduler:
        raise EngineError.expected(
            "--backend dask",
            "the address of a scheduler",
            "none",
            "Add --scheduler tcp://HOST:8786",
        )
    if not re.fullmatch(r"(?:(tcp|tls|ws|wss|ucx)://)?[^/\s:]+:\d{1,5}", scheduler):
        raise EngineError.expected(
            f"--scheduler {scheduler}",
            "an address such as tcp://node1:8786",
            "another form",
            "Give the address that `dask scheduler` prints",
        )
    try:
        from distributed import Client
    except ImportError as error:
        raise EngineError.expected(
            "--backend dask",
            "the package distributed",
            "none",
            "pip install 'cisdl-bench[cluster]'",
        ) from error
    try:
        connect: Any = Client
        client = connect(scheduler, timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise EngineError.expected(
            f"--scheduler {scheduler}",
            "a Dask scheduler that answers",
            f"'{str(error).splitlines()[0]}'",
            "Start one: dask scheduler",
        ) from error
    try:
        yield client
    finally:
        with suppress(Exception):  # a scheduler that is gone is no reason to fail
            client.close(timeout=2)


def _check(client: Any, say: Callable[[str], None]) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        raise EngineError.expected(
            client.scheduler.address, "workers", "none", "Start some: dask worker ADDRESS"
        )
    here = read_versions(_PACKAGES)
    for address, there in client.run(read_versions, _PACKAGES, on_error="return").items():
        if isinstance(there, Exception):
            raise EngineError.expected(
                address, "a worker with cisdl-bench", f"'{there}'", "Install it there too"
            )
        differing = [name for name in here if there.get(name) != here[name]]
        if differing:
            name = differing[0]
            raise EngineError.expected(
                address, f"{name} {here[name]} as here", there.get(name), "Install the same there"
            )
    threads = max(worker["nthreads"] for worker in workers.values())
    more = "; start them with --nthreads 1, threads wait for each other" if threads > 1 else ""
    say(f"Dask: {len(workers)} workers of {threads} threads at {client.scheduler.address}{more}")
