from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make
from torch.utils.data import DataLoader

from cisdl_bench.errors import StoreError
from cisdl_bench.records import KINDS
from cisdl_bench.store import open_pairs
from cisdl_bench.store.torch_view import PairDataset, collate, pair_loader


@pytest.fixture(scope="module")
def dataset(made: Path) -> PairDataset:
    return PairDataset([made / "training", made / "combination-normal"])


def test_batches_hold_the_pairs(made: Path, dataset: PairDataset) -> None:
    pairs = [*open_pairs(made / "training"), *open_pairs(made / "combination-normal")]
    assert len(dataset) == len(pairs) == 80
    wanted = [0, 79, 61, 2, 1, 60, -1]
    batch = dataset.__getitems__(wanted)
    assert batch["probe"].shape == (7, 3, 256, 256)
    assert batch["probe"].dtype == torch.uint8
    assert batch["probe"].is_contiguous(memory_format=torch.channels_last)
    for k, index in enumerate(wanted):
        pair = pairs[index]
        for name in ("probe", "donor"):
            assert np.array_equal(batch[name][k].permute(1, 2, 0).numpy(), getattr(pair, name))
        for name in ("probe_mask", "donor_mask"):
            assert np.array_equal(batch[name][k].numpy(), getattr(pair, name))
        assert batch["label"][k] == pair.label
        assert KINDS[batch["kind"][k]] == pair.kind
    assert batch["index"].tolist() == wanted
    assert batch["known"].tolist() == [[True, True]] * 7
    single = dataset[61]
    assert torch.equal(single["probe"], batch["probe"][2])


@pytest.mark.parametrize(("workers", "method"), [(0, None), (2, "fork"), (2, "spawn")])
def test_loaders_give_every_pair_once(dataset: PairDataset, workers, method) -> None:
    dataset[0]  # files are open before the workers start
    loader = pair_loader(
        dataset,
        24,
        shuffle=True,
        num_workers=workers,
        multiprocessing_context=method,
        generator=torch.Generator().manual_seed(0),
    )
    seen, sums = [], {}
    for batch in loader:
        seen += batch["index"].tolist()
        for index, probe in zip(batch["index"].tolist(), batch["probe"], strict=True):
            sums[index] = int(probe.sum())
    assert sorted(seen) == list(range(80))
    assert sums == {k: int(dataset[k]["probe"].sum()) for k in range(80)}


def test_a_plain_data_loader_works_with_its_collate(dataset: PairDataset) -> None:
    batch = next(iter(DataLoader(dataset, batch_size=4, collate_fn=collate)))
    assert batch["probe"].shape[0] == 4


@pytest.mark.parametrize(("workers", "method"), [(0, None), (1, "fork"), (1, "spawn")])
def test_torchs_own_collate_works_too(dataset: PairDataset, workers: int, method: str) -> None:
    """It stacks single items; what is fetched is a whole batch already."""
    loader = DataLoader(dataset, 30, num_workers=workers, multiprocessing_context=method)
    found = list(loader)
    assert [len(batch["index"]) for batch in found] == [30, 30, 20]
    expected = dataset.__getitems__(range(30, 60))
    assert type(found[1]) is dict
    assert found[1].keys() == expected.keys()
    assert all(torch.equal(found[1][name], expected[name]) for name in expected)
    with pytest.raises(KeyError):
        expected[1]
    single = next(iter(DataLoader(dataset, batch_size=None)))
    assert torch.equal(single["probe"], dataset[0]["probe"])


def test_memory_stays_flat_over_epochs(dataset: PairDataset) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    if not Path("/proc/self/statm").exists():
        pytest.skip("memory is read from /proc")
    for _ in range(2):
        for _ in pair_loader(dataset, 20, shuffle=True):
            pass
    before = resident()
    for _ in range(8):
        for _ in pair_loader(dataset, 20, shuffle=True):
            pass
    assert resident() - before < 20e6  # one epoch of these pairs is 42 MB


def test_what_does_not_go_together(coco: Path, made: Path, tmp_path: Path) -> None:
    make(coco, tmp_path, "release/raw", pairs=4)
    with pytest.raises(StoreError, match="expected pairs of 256 px, got 512 px"):
        PairDataset([made / "training", tmp_path / "release-raw-normal"])
    with pytest.raises(StoreError, match="expected at least one set"):
        PairDataset([])
