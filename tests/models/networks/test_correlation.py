import pytest
import torch
from torch import Tensor

from cisdl_bench.models.networks.correlation import correlate


def by_the_equations(a: Tensor, b: Tensor, symmetric: bool) -> Tensor:
    """Equations (2) to (6) for one pair of maps (C, h, w), one translation after another."""
    channels, h, w = a.shape
    maps = torch.stack(
        [(a * b.roll((-i, -j), (1, 2))).sum(0) / channels for i in range(h) for j in range(w)]
    )
    totals = maps.sum((1, 2))
    if symmetric:
        totals = totals.reshape(h, w)
        totals = ((totals + totals.flip(0, 1).roll((1, 1), (0, 1))) / 2).flatten()
    order = totals.sort(descending=True, stable=True).indices[:6]
    return torch.cat([maps.amax(0, keepdim=True), maps.mean(0, keepdim=True), maps[order]])


@pytest.mark.parametrize("size", [(8, 8), (6, 10), (20, 16), (4, 3)])
@pytest.mark.parametrize("grad", [False, True])
def test_the_fast_form_is_that_of_the_equations(size: tuple[int, int], grad: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn((2, 3, 5, *size), generator=generator, dtype=torch.float64)
    b[:, :, 1:3] = a[:, :, :2]
    with torch.set_grad_enabled(grad):
        found = correlate(a, b)
    for k in range(3):
        expected = {
            "ab": by_the_equations(a[k], b[k], False),
            "aa": by_the_equations(a[k], a[k], True),
            "ba": by_the_equations(b[k], a[k], False),
            "bb": by_the_equations(b[k], b[k], True),
        }
        for name, maps in expected.items():
            torch.testing.assert_close(getattr(found, name)[k], maps, rtol=1e-6, atol=1e-6)


def test_a_planted_shift_is_the_first_translation() -> None:
    generator = torch.Generator().manual_seed(2)
    a = torch.randn((1, 16, 8, 8), generator=generator)
    b = a.roll((3, 2), (2, 3))  # f_b(p + t) = f_a(p) at t = (3, 2)
    found = correlate(a, b)
    torch.testing.assert_close(found.ab[0, 2], (a[0] ** 2).mean(0))
    torch.testing.assert_close(found.ba[0, 2], (b[0] ** 2).mean(0))


def test_gradients_are_those_of_the_equations() -> None:
    generator = torch.Generator().manual_seed(3)
    a, b = torch.randn((2, 1, 3, 4, 5), generator=generator, dtype=torch.float64)
    a.requires_grad_()
    weights = torch.randn((8, 4, 5), generator=generator, dtype=torch.float64)
    (ours,) = torch.autograd.grad((correlate(a, b).ab[0] * weights).sum(), a)
    (theirs,) = torch.autograd.grad((by_the_equations(a[0], b[0], False) * weights).sum(), a)
    torch.testing.assert_close(ours, theirs)


def test_equal_totals_come_in_the_order_of_their_channels() -> None:
    # A constant map: every translation has the same total, so 0 to 5 are chosen, all alike.
    a = torch.ones(1, 2, 4, 4)
    a[0, 0, 0, 0] = 3.0
    found = correlate(a, a)
    expected = by_the_equations(a[0], a[0], True)
    torch.testing.assert_close(found.aa[0], expected)


def test_half_precision_ranks_translations_in_float32() -> None:
    """Under bf16 the totals, which decide the six translations, are float32."""
    a, b = torch.randn(2, 1, 16, 8, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    half = correlate(a, b)
    whole = correlate(a.float(), b.float())
    for x, y in zip(half, whole, strict=True):
        torch.testing.assert_close(x.float(), y, rtol=0.02, atol=0.02)
