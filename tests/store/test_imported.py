import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Heard
from lists import write_mfc, write_plain

from cisdl_bench.adapters.opening import open_list
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.pairs import ListedPairs
from cisdl_bench.errors import StoreError
from cisdl_bench.records import KINDS
from cisdl_bench.store.imported import ImportedPairs
from cisdl_bench.store.importing import import_pairs
from cisdl_bench.store.opening import open_pairs, open_set
from cisdl_bench.store.summary import summarise
from cisdl_bench.store.torch_view import PairDataset
from cisdl_bench.store.verify import verify_set


def opened(path: Path, size: int = 64) -> ListedPairs:
    return open_list(path, ListOptions(size=size), Heard())


@pytest.fixture
def pairs(tmp_path: Path) -> ListedPairs:
    return opened(write_plain(tmp_path / "data"))


def test_every_pair_is_as_in_its_files(pairs: ListedPairs, tmp_path: Path) -> None:
    manifest = import_pairs(pairs, tmp_path / "sets", Heard(), jobs=1)
    found = open_pairs(tmp_path / "sets" / "pairs")
    assert isinstance(found, ImportedPairs)
    assert (len(found), found.size, found.name) == (3, 64, "pairs")
    for index in pairs.indices:
        mine, theirs = found[index], pairs[index]
        for name in ("probe", "donor", "probe_mask", "donor_mask"):
            assert np.array_equal(getattr(mine, name), getattr(theirs, name)), name
        assert (mine.label, mine.kind, mine.known) == (theirs.label, theirs.kind, theirs.known)
        assert mine.numbers["probe"] == theirs.numbers["probe"]
        assert mine.numbers["probe_area_px"] == theirs.probe_mask.sum()
    assert manifest["counts"] == {
        "pairs": 3,
        "kinds": {"positive": 2, "negative": 1, "unlabelled": 0},
        "left_out": 0,
        "repeated": 0,
    }
    assert verify_set(tmp_path / "sets" / "pairs", set()) == []
    assert summarise(tmp_path / "sets" / "pairs")["shards"] == 1
    with pytest.raises(StoreError, match="imported. Name one"):
        open_set(tmp_path / "sets" / "pairs")
    batch = PairDataset([tmp_path / "sets" / "pairs"]).__getitems__([2, 0])
    assert batch["label"].tolist() == [0, 1]
    assert batch["kind"].tolist() == [KINDS.index("negative"), -1]


def test_numbers_of_pairs_stay_those_of_the_list(tmp_path: Path) -> None:
    index = write_mfc(tmp_path / "data")
    (tmp_path / "data" / "raw-probe.png").unlink()
    pairs = open_list(index, ListOptions(size=64, labelled=False, skip_unusable=True), Heard())
    import_pairs(pairs, tmp_path / "sets", Heard(), jobs=1)
    found = open_pairs(tmp_path / "sets" / "MFC18_Tiny")
    assert tuple(found.indices) == (1, 2)
    assert (found.label(1), found.known(1)) == (-1, (False, False))
    assert np.array_equal(found.pair(2).probe, pairs.pair(2).probe)
    assert found.facts["notes"] == ["MFC18_Tiny: 2 of 3 pairs"]
    skipped = (tmp_path / "sets" / "MFC18_Tiny" / "skipped.csv").read_text()
    assert "pair,0," in skipped


def test_shards_do_not_depend_on_processes_and_stops(
    pairs: ListedPairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cisdl_bench.store.importing._PER_SHARD", 1)
    monkeypatch.setattr("cisdl_bench.store.importing._TASK", 1)
    import_pairs(pairs, tmp_path / "a", Heard(), jobs=1)

    class StoppedError(Exception): ...

    class Impatient(Heard):
        def advance(self, n: int) -> None:
            super().advance(n)
            if self.counts[-1][0] == "pairs" and self.counts[-1][2] == 2:
                raise StoppedError

    with pytest.raises(StoppedError):
        import_pairs(pairs, tmp_path / "b", Impatient(), jobs=1)
    with pytest.raises(StoreError, match="not finished.*to finish it"):
        open_pairs(tmp_path / "b" / "pairs")
    heard = Heard()
    import_pairs(pairs, tmp_path / "b", heard, jobs=2)
    assert ["pairs", 3, 3] in heard.counts
    files = [sorted((tmp_path / k / "pairs").glob("*.h5")) for k in "ab"]
    assert [f.read_bytes() for f in files[0]] == [f.read_bytes() for f in files[1]]
    assert len(files[0]) == 3
    heard = Heard()
    import_pairs(pairs, tmp_path / "b", heard)
    assert heard.counts == []


def test_another_list_of_that_name_is_refused(pairs: ListedPairs, tmp_path: Path) -> None:
    import_pairs(pairs, tmp_path / "sets", Heard(), jobs=1)
    other = opened(pairs.path, size=32)
    with pytest.raises(StoreError, match=r"size: 64, not 32.*--overwrite"):
        import_pairs(other, tmp_path / "sets", Heard(), jobs=1)
    import_pairs(other, tmp_path / "sets", Heard(), jobs=1, overwrite=True)
    assert open_pairs(tmp_path / "sets" / "pairs").size == 32


def test_damage_is_found(pairs: ListedPairs, tmp_path: Path) -> None:
    import_pairs(pairs, tmp_path, Heard(), jobs=1)
    folder = tmp_path / "pairs"
    shard = folder / "shard-00000.h5"
    data = bytearray(shard.read_bytes())
    data[-40] ^= 1
    shard.write_bytes(data)
    assert "damaged" in verify_set(folder, set())[0]
    manifest = json.loads((folder / "manifest.json").read_text())
    import hashlib

    manifest["shards"][0]["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "its content does not fit its digest" in verify_set(folder, set())[0]
