import pytest
import torch

from cisdl_bench.store.transfer import pack


def batch(dtype: torch.dtype = torch.uint8) -> dict[str, torch.Tensor]:
    numbers = torch.randint(0, 256, (2, 5, 5, 3), generator=torch.Generator().manual_seed(0))
    return {
        "probe": numbers.to(dtype).permute(0, 3, 1, 2),
        "mask": torch.tensor([[[1, 0, 1]], [[0, 1, 1]]], dtype=torch.uint8),
        "known": torch.tensor([[True, False], [True, True]]),
        "label": torch.tensor([1, -1]),
        "index": torch.tensor([7, 9]),
        "weight": torch.tensor([0.5, float("nan")], dtype=torch.float64),
    }


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_a_packed_batch_is_the_batch(dtype: torch.dtype) -> None:
    plain = batch(dtype)
    packed = pack(plain, pinned=False).to("cpu")
    assert packed.keys() == plain.keys()
    for name, value in plain.items():
        assert packed[name].dtype == value.dtype
        assert packed[name].stride() == value.stride()
        assert torch.equal(packed[name].nan_to_num(3), value.nan_to_num(3))


def test_the_numbers_of_pairs_stay_and_all_else_is_one_block() -> None:
    plain = batch()
    packed = pack(plain, pinned=False)
    assert packed.kept == {"index": plain["index"]}
    assert packed.block.dtype == torch.uint8
    assert packed.block.numel() == 192 + 5 * 64 - 64
    moved = packed.to("cpu")
    start = packed.block.data_ptr()
    addresses = [moved[name].data_ptr() - start for name in packed.fields]
    assert all(0 <= address < packed.block.numel() and address % 64 == 0 for address in addresses)


def test_tensors_that_are_not_contiguous_are_copied_as_they_read() -> None:
    value = torch.arange(24).reshape(2, 3, 4).transpose(1, 2)
    moved = pack({"value": value}, pinned=False).to("cpu")["value"]
    assert torch.equal(moved, value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_one_pinned_copy_that_nothing_waits_for() -> None:
    packed = pack(batch())
    assert packed.block.is_pinned()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        moved = packed.to("cuda:0")
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for name, value in batch().items():
        assert moved[name].device.type == ("cpu" if name == "index" else "cuda")
        assert torch.equal(moved[name].cpu().nan_to_num(3), value.nan_to_num(3))
