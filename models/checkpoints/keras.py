"""The original DMVN's weights: a Keras 1.2 file, Theano's order, into our ``Dmvn``.

The layout: the root's attribute ``layer_names``; one group a layer of the outer model, its
attribute ``weight_names``; data sets ``<layer>_W`` and ``<layer>_b``. Kernels are
(out, in, rows, columns) and Theano convolves with flipped ones, so both spatial axes are
reversed; dense kernels are (in, out) and are transposed.
"""

from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from cisdl_bench.errors import ModelError

_FETCH = "Fetch the file again"
_MOST_BYTES = 1 << 26  # of one weight; the largest has half as many
_BLOCKS = ((1, 2), (2, 2), (3, 3), (4, 3))


def _inception(keras: str, ours: str) -> dict[str, str]:
    return {
        f"{keras}_pool_inceptor_max@1x1": f"{ours}.pooled.conv",
        f"{keras}_pool_inceptor_c0@1x1": f"{ours}.one.conv",
        f"{keras}_pool_inceptor_c1@1x1": f"{ours}.three.0.conv",
        f"{keras}_pool_inceptor_c1@331": f"{ours}.three.1.conv",
        f"{keras}_pool_inceptor_c2@1x1": f"{ours}.five.0.conv",
        f"{keras}_pool_inceptor_c2@551": f"{ours}.five.1.conv",
    }


#: Keras's layers and our modules.
LAYERS = {
    **{
        f"vgg16_cnn_featex-block{block}_conv{k}": f"features.conv{block}_{k}"
        for block, count in _BLOCKS
        for k in range(1, count + 1)
    },
    **_inception("pool_inceptor", "matching.inception"),
    "match_inception_corr_inceptor_conv": "matching.final.conv",
    **{
        f"mask_inceptor@{side}-filt@{kernel}x{kernel}": f"decoder.blocks.{n}.branches.{k}.conv"
        for n, side in enumerate((32, 64, 128, 256))
        for k, kernel in enumerate((1, 3, 5))
    },
    **{
        f"mask_inceptorMask-filt@{kernel}x{kernel}": f"decoder.last.branches.{k}.conv"
        for k, kernel in enumerate((5, 7, 11))
    },
    "mask": "decoder.mask",
    **_inception("proba_featex_vis_inceptor", "validator.features.inception"),
    "proba_featex_inceptor_conv": "validator.features.conv",
    "proba_featex_f1": "validator.features.f1",
    "proba_featex_f2": "validator.features.f2",
    "avg_pool_dense": "validator.share",
    "siamese_f1": "validator.f1",
    "siamese_f2": "validator.f2",
    "pred_probs": "classes",
}


def read_dmvn(path: Path) -> dict[str, Tensor]:
    """Return the state dict of ``Dmvn`` that a Keras file holds.

    Raises:
        ModelError: The file is no HDF5, or not in this layout.
    """
    state: dict[str, Tensor] = {}
    try:
        with h5py.File(path, "r") as file:
            for group in file.values():
                if not isinstance(group, h5py.Group):
                    continue
                for name in group.attrs.get("weight_names", ()):
                    text = name.decode() if isinstance(name, bytes) else str(name)
                    key = _our_name(text, path)
                    state[key] = torch.from_numpy(_turned(_values(group, text, path)))
    except ModelError:
        raise
    except Exception as error:  # HDF5 reports a damaged file by exceptions of any class
        message = (str(error).splitlines() or [""])[0]
        raise ModelError.expected(
            path, "a Keras 1.2 weights file of DMVN in HDF5", f"'{message}'", "Fetch the file again"
        ) from error
    if not state:
        raise ModelError.expected(
            path, "groups with `weight_names`, as Keras 1.2 writes them", "none", "Check the file"
        )
    return state


def _values(group: h5py.Group, name: str, path: Path) -> np.ndarray:
    """Return a dataset of numbers that lies in the file itself and is not absurdly large."""
    link, dataset = group.get(name, getlink=True), group[name]
    inside = isinstance(link, h5py.HardLink) and isinstance(dataset, h5py.Dataset)
    if not inside or dataset.is_virtual or dataset.external:
        raise ModelError.expected(
            f"{path}: {name}", "a dataset of this file", "a link, a group or outer storage", _FETCH
        )
    if dataset.dtype.kind not in "fiu" or not dataset.shape or dataset.nbytes > _MOST_BYTES:
        got = f"{dataset.dtype} {dataset.shape}"
        raise ModelError.expected(f"{path}: {name}", "a weight of DMVN", got, _FETCH)
    return np.asarray(dataset[()])


def _our_name(weight: str, path: Path) -> str:
    layer, _, kind = weight.rpartition("_")
    if layer not in LAYERS or kind not in ("W", "b"):
        raise ModelError.expected(
            path, "the layers of DMVN alone", f"the weight {weight[:99]!r}", "Give DMVN's own file"
        )
    return f"{LAYERS[layer]}.{'weight' if kind == 'W' else 'bias'}"


def _turned(values: np.ndarray) -> np.ndarray:
    if values.ndim == 4:
        values = values[:, :, ::-1, ::-1]
    elif values.ndim == 2:
        values = values.T
    return np.array(values, dtype=np.float32, order="C")  # a copy: torch knows no negative strides
