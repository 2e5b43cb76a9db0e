"""The correlation layer: which positions of two feature maps answer each other.

For maps f_a, f_b of C channels and size h x w the paper's equations (2) and (3) define, for each
position p of a and each circular translation t, c_ab(p, t) = f_a(p) . f_b(p + t) / C (the
division is the release's). Of these h w maps eight are kept, in the release's order:

- their maximum over t (5) and their mean over t (4);
- the T = 6 maps of the largest totals over p (6).

The obvious way builds all of them, a re-indexed (h w) x (h w) tensor. Here the plain product
S = f_a^T f_b is only looked at: translations permute the entries of a row of S, so maximum and
mean over t are the row's; the total of a translation is a circular cross-correlation, an FFT;
six maps are gathered. S of (b, a) is the transpose of S of (a, b), and S of (a, a) is symmetric,
of which half is computed.
"""

from typing import NamedTuple

import torch
from torch import Tensor

TOP = 6  # T of equation (6)
MAPS = TOP + 2
_ROWS = 256  # of S at a time on the CPU, so that a block is looked at while it is in the cache


class Correlations(NamedTuple):
    """Corr(f_a, f_b) and its three companions, equation (7), each (N, 8, h, w)."""

    ab: Tensor
    aa: Tensor
    ba: Tensor
    bb: Tensor


def correlate(a: Tensor, b: Tensor) -> Correlations:
    """Return the cross and self correlations of two batches of features.

    Args:
        a: Features of the first pictures, float, (N, C, h, w).
        b: Features of the second pictures, float, (N, C, h, w).
    """
    n, channels, h, w = a.shape
    with torch.no_grad():
        ab, aa, bb = translation_totals(a, b)
        ba = opposite(ab)
        t_ab, t_aa, t_ba, t_bb = (
            strongest_translations(total)
            for total in (ab, (aa + opposite(aa)) / 2, ba, (bb + opposite(bb)) / 2)
        )
    rows_a, rows_b = (x.permute(0, 2, 3, 1).flatten(1, 2) for x in (a, b))
    look = _look_whole if torch.is_grad_enabled() or a.is_cuda else _look_in_blocks
    max_ab, max_ba, top_ab, top_ba = look(rows_a, rows_b, t_ab, t_ba)
    max_aa, _, top_aa, _ = look(rows_a, rows_a, t_aa, None)
    max_bb, _, top_bb, _ = look(rows_b, rows_b, t_bb, None)
    mean_a, mean_b = (x.mean(dim=1).unsqueeze(2) for x in (rows_a, rows_b))

    def maps(largest: Tensor, rows: Tensor, mean: Tensor, top: Tensor) -> Tensor:
        three = (largest.unsqueeze(1), (rows @ mean).transpose(1, 2), top)
        return torch.cat(three, dim=1).reshape(n, MAPS, h, w) / channels

    return Correlations(
        maps(max_ab, rows_a, mean_b, top_ab),
        maps(max_aa, rows_a, mean_a, top_aa),
        maps(max_ba, rows_b, mean_a, top_ba),
        maps(max_bb, rows_b, mean_b, top_bb),
    )


def translation_totals(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the totals of ab, aa, bb over positions by translation, float32, (N, h, w)."""
    size = a.shape[-2:]
    fa, fb = (torch.fft.rfftn(x.permute(0, 2, 3, 1).float(), dim=(1, 2)) for x in (a, b))
    products = (
        torch.linalg.vecdot(x, y) for x, y in ((fa, fb), (fa, fa), (fb, fb))
    )  # vecdot conjugates its first argument and sums over channels
    ab, aa, bb = (torch.fft.irfftn(product, s=size, dim=(1, 2)) for product in products)
    return ab, aa, bb


def opposite(totals: Tensor) -> Tensor:
    """Return the totals of the opposite translations.

    >>> opposite(torch.tensor([[[0, 1, 2, 3]]])).flatten().tolist()
    [0, 3, 2, 1]
    """
    return totals.flip(1, 2).roll((1, 1), (1, 2))


def strongest_translations(totals: Tensor) -> Tensor:
    """Return where each position goes under the six translations of the largest totals.

    Among equal totals the lower channel, row shift times w plus column shift, comes first.

    Args:
        totals: Sums over positions, (N, h, w).

    Returns:
        int64, (N, 6, h w): positions by number, row times w plus column.
    """
    _, h, w = totals.shape
    order = totals.flatten(1).sort(dim=1, descending=True, stable=True).indices[:, :TOP]
    rows, columns = (torch.arange(size, device=totals.device) for size in (h, w))
    row = (order.div(w, rounding_mode="floor").unsqueeze(2) + rows) % h
    column = (order.remainder(w).unsqueeze(2) + columns) % w
    return (row.unsqueeze(3) * w + column.unsqueeze(2)).flatten(2)


Looked = tuple[Tensor, Tensor, Tensor, Tensor]


def _look_whole(x: Tensor, y: Tensor, t_xy: Tensor, t_yx: Tensor | None) -> Looked:
    """Return maxima (N, P) over S's rows and columns, and its chosen entries (N, 6, P).

    Args:
        x: (N, P, C), rows of S.
        y: (N, P, C), columns of S.
        t_xy: (N, 6, P), which column is chosen for each row.
        t_yx: (N, 6, P), which row is chosen for each column; None: S is symmetric, and what is
            said of its rows holds for its columns.
    """
    product = torch.bmm(x, y.transpose(1, 2))
    top = product.gather(2, t_xy.transpose(1, 2)).transpose(1, 2)
    if t_yx is None:
        rows = product.amax(2)
        return rows, rows, top, top
    return product.amax(2), product.amax(1), top, product.gather(1, t_yx)


def _look_in_blocks(x: Tensor, y: Tensor, t_xy: Tensor, t_yx: Tensor | None) -> Looked:
    """Return what ``_look_whole`` returns, one picture and a few rows of S at a time.

    Of a symmetric S (t_yx is None) the blocks below the diagonal are never computed.
    """
    n, positions, _ = x.shape
    symmetric = t_yx is None
    product = x.new_empty(positions, positions)
    rows, columns = x.new_full((2, n, positions), -torch.inf).unbind()
    tops, downs = [], []
    for k in range(n):
        for start in range(0, positions, _ROWS):
            stop = min(start + _ROWS, positions)
            first = start if symmetric else 0
            block = product[start:stop, first:]
            torch.mm(x[k, start:stop], y[k, first:].T, out=block)
            across, down = block.amax(1), block.amax(0)
            torch.maximum(rows[k, start:stop], across, out=rows[k, start:stop])
            target = rows if symmetric else columns
            torch.maximum(target[k, first:], down, out=target[k, first:])
        if symmetric:
            here = torch.arange(positions)
            low, high = torch.minimum(here, t_xy[k]), torch.maximum(here, t_xy[k])
            tops.append(product.take(low * positions + high))
        else:
            assert t_yx is not None
            tops.append(product.gather(1, t_xy[k].T).T)
            downs.append(product.gather(0, t_yx[k]))
    top = torch.stack(tops)
    return (rows, rows, top, top) if symmetric else (rows, columns, top, torch.stack(downs))
