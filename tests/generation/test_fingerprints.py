"""The same bytes on every machine: fingerprints that were read off one are held on all others."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import REPOSITORY, Heard

from cisdl_bench.generation import jobs
from cisdl_bench.generation.jobs import make_set_jobs
from cisdl_bench.generation.run import make_sets
from cisdl_bench.sources.find import find_source
from cisdl_bench.store.folder import DataFolder

PINNED = tomllib.loads((Path(__file__).parent / "fingerprints.toml").read_text())["pinned"]


def test_the_tested_versions_are_pinned() -> None:
    text = (REPOSITORY / "constraints.txt").read_text()
    tested = dict(re.findall(r"^([\w.-]+)==(\S+)$", text, re.M))
    wanted = {name: tested[name] for name in PINNED[0]["versions"]}
    assert wanted in [each["versions"] for each in PINNED]


def test_small_sets_have_their_fingerprints(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "_BLOCK", 16)  # candidates a shard, which no fingerprint depends on
    here = {name: version(name) for name in PINNED[0]["versions"]}
    known = [each["fingerprints"] for each in PINNED if each["versions"] == here]
    if not known:
        pytest.skip(f"no fingerprints are pinned for {here}")

    def source_of(split: str) -> object:
        return find_source(None, split, tmp_path)

    names = {"raw-easy": 12, "combination-difficult": 12, "release-scale-normal": 4}
    names |= {"flip-normal": 6, "perspective-easy": 6}
    names |= dict.fromkeys(set(known[0]) - set(names), 3)
    for name, pairs in names.items():
        set_jobs = make_set_jobs([name], [], source_of, seed=0, pairs=pairs)
        made = make_sets(set_jobs, DataFolder(tmp_path), Heard())[0]
        assert made["fingerprint"] == known[0][name], name
