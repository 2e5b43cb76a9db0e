"""Kill commands at random moments; the same command must end in the bytes of an undisturbed run.

``python benchmarks/kills.py [--kills 150] [--seed 0] [--commands generate score ...]``

Commands: ``generate``, ``overwrite`` (of another set, which must stay readable until it is
replaced), ``score``, ``import``, ``export`` and ``fetch`` (from a server on the loopback address).
Each is started in a process group of its own, killed with its workers by SIGKILL after a random
part of the time that an undisturbed run takes, up to three times in a row, and then run to its end.
Compared are all files but logs of times. Nothing half-written may be left. Training has a script
of its own, ``kill_training.py``.
"""

import argparse
import hashlib
import http.server
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from cisdl_bench.store import open_pairs

CLI = [sys.executable, "-m", "cisdl_bench", "-q"]
_TIMES = ("pairs_per_second", "seconds", "finished")


class Case:
    """A command whose output is compared.

    Args:
        words: The command, given its output folder.
        prepare: Fills the output folder before the first start.
        watch: Looks at the output after each kill; raises where something is lost.
    """

    def __init__(
        self,
        words: Callable[[Path], list[object]],
        prepare: Callable[[Path], None] = lambda _: None,
        watch: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self.words, self.prepare, self.watch = words, prepare, watch

    def start(self, out: Path) -> "subprocess.Popen[bytes]":
        """Start the command."""
        words = list(map(str, self.words(out)))
        quiet = subprocess.DEVNULL
        return subprocess.Popen(words, stdout=quiet, stderr=subprocess.PIPE, start_new_session=True)


def content(out: Path) -> dict[str, str]:
    """Return the hash of every file by its name, without times, the lock and logs."""
    found = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.name != ".lock" and path.suffix != ".log":
            data = path.read_bytes()
            if path.suffix == ".json":
                data = _timeless(data)
            if path.name == "summary.csv":
                continue  # the results hold what is in it, beside the speed
            found[str(path.relative_to(out))] = hashlib.sha256(data).hexdigest()
    return found


def _timeless(data: bytes) -> bytes:
    def without(value: object) -> object:
        if isinstance(value, dict):
            return {k: without(v) for k, v in value.items() if k not in _TIMES and k != "path"}
        return [without(each) for each in value] if isinstance(value, list) else value

    return json.dumps(without(json.loads(data))).encode()


def cases(root: Path) -> dict[str, Case]:
    """Return the cases, their inputs made below a folder."""
    data = root / "data"
    subprocess.run(
        [*CLI, "generate", "--set", "raw-easy", "--set", "training", "--pairs", "600", "-o", data],
        check=True,
        capture_output=True,
    )
    few = ["generate", "--set", "raw-easy", "--pairs", "40", "-o", root / "few"]
    subprocess.run([*CLI, *few], check=True, capture_output=True)
    old = root / "old"
    words = ["generate", "--set", "raw-easy", "--pairs", "900", "--seed", "1", "-o", old]
    subprocess.run([*CLI, *words], check=True, capture_output=True)
    release = root / "release"
    words = ["export", data / "raw-easy", "--format", "release", "-o", release]
    subprocess.run([*CLI, *words], check=True, capture_output=True)
    (release / "release.csv").rename(release / "listed.csv")
    fetch = _served()

    def copied(out: Path) -> None:
        shutil.copytree(old, out)

    def readable(out: Path) -> None:
        if not (out / "raw-easy").exists():  # between two renames; the next run puts it back
            assert (out / ".raw-easy.old").exists()
            return
        assert len(open_pairs(out / "raw-easy")) in (900, 2500)

    def made(*words: object) -> Callable[[Path], list[object]]:
        return lambda out: [*CLI, *words, out]

    generate = ("generate", "--set", "combination", "--pairs", "800", "--jobs", 2)
    return {
        "generate": Case(made(*generate, "-o")),
        "overwrite": Case(
            made(
                "generate", "--set", "raw-easy", "--pairs", 2500, "--jobs", 2, "--overwrite", "-o"
            ),
            copied,
            readable,
        ),
        "score": Case(made("score", "luo-blocks", "--data", root / "few", "--workers", 2, "-o")),
        "import": Case(made("import", release / "listed.csv", "--jobs", 2, "-o")),
        "export": Case(
            lambda out: [
                *CLI,
                "export",
                data / "training",
                "--format",
                "pairs-h5",
                "-o",
                out / "x.h5",
            ]
        ),
        "export-release": Case(
            lambda out: [*CLI, "export", data / "raw-easy", "--format", "release", "-o", out / "x"]
        ),
        "export-dmac-train": Case(
            lambda out: [
                *CLI,
                "export",
                data / "training",
                "--format",
                "dmac-train",
                "--jobs",
                2,
                "-o",
                out / "x",
            ]
        ),
        "fetch": Case(lambda out: [*fetch, out]),
    }


_FETCH = """
import sys
from pathlib import Path
from cisdl_bench.bars import Bars
from cisdl_bench.sources.fetch import RemoteFile, fetch_file
from cisdl_bench.store.atomic import locked
url, sha256, size, folder = sys.argv[1:]
with locked(Path(folder)):
    remote = RemoteFile("val2014.zip", sha256, int(size), "val2014")
    fetch_file(remote, url, Path(folder), Bars(True), keep=False)
"""


def _served() -> list[object]:
    """Serve an archive slowly; return the command that fetches it into a folder."""
    memory = io.BytesIO()
    rng = random.Random(0)  # noqa: S311 - no secret
    with zipfile.ZipFile(memory, "w") as opened:
        for k in range(40):
            opened.writestr(f"val2014/{k}.jpg", rng.randbytes(200_000))
    data = memory.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if first >= len(data):
                self.send_error(416)
                return
            self.send_response(206 if first else 200)
            self.send_header("Content-Length", str(len(data) - first))
            self.end_headers()
            for at in range(first, len(data), 1 << 16):
                try:
                    self.wfile.write(data[at : at + (1 << 16)])
                except OSError:  # whoever asked was killed
                    return
                time.sleep(0.01)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    return [sys.executable, "-c", _FETCH, url, sha256, len(data)]


def campaign(case: Case, name: str, kills: int, rng: random.Random, folder: Path) -> list[str]:
    """Kill a command until it was killed often enough; return what went wrong.

    Args:
        case: The command.
        name: Name of the case, which its folder is called by.
        kills: Number of kills.
        rng: Draws the moments.
        folder: An empty folder.
    """
    whole = folder / name / "whole"
    case.prepare(whole)
    whole.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    undisturbed = case.start(whole)
    said = undisturbed.communicate()[1]
    assert undisturbed.returncode == 0, said
    seconds, expected = time.monotonic() - begun, content(whole)
    wrong, done, number = [], 0, 0
    while done < kills:
        out = folder / name / str(number)
        number += 1
        case.prepare(out)
        out.mkdir(parents=True, exist_ok=True)
        moments = []
        for _ in range(rng.randint(1, 3)):
            process = case.start(out)
            moment = rng.uniform(0.2, 1) * seconds
            moments.append(f"{moment:.2f}")
            try:
                process.communicate(timeout=moment)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                done += 1
                try:
                    case.watch(out)
                except Exception as error:
                    wrong.append(f"{name} killed after {moments} s: {error!r}")
        last = case.start(out)
        said = last.communicate()[1]
        found = content(out)
        odd = [
            path for path in found.keys() | expected.keys() if found.get(path) != expected.get(path)
        ]
        # An export that was finished before the kill is not replaced: that is said, and right.
        done_before = b"exists. Remove it, or choose another -o" in said
        if odd or (last.returncode and not done_before):
            wrong.append(f"{name} killed after {moments} s: {last.returncode} {said!r} {odd[:5]}")
        shutil.rmtree(out)
    print(f"{name}: {done} kills in {number} runs of {seconds:.1f} s: {len(wrong)} ended otherwise")
    return wrong


def main() -> None:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=25, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", nargs="+")
    asked = parser.parse_args()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        found = cases(Path(scratch))
        for name in asked.commands or found:
            rng = random.Random(f"{asked.seed} {name}")  # noqa: S311 - no secret
            wrong += campaign(found[name], name, asked.kills, rng, Path(scratch))
    print("\n".join(wrong))
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
