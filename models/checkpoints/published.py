"""The key names of the DMAC authors' published state dicts, and ours for the same tensors.

``DMAC-adv.pth`` and ``DMVN-BN.pth`` are bare files of keys and tensors; both sides' names are
below, so a file is recognised by its keys alone.
"""

from collections.abc import Iterable

_CONVOLUTIONS = [
    f"conv{block}_{k}"
    for block, count in enumerate((2, 2, 3, 3, 3), start=1)
    for k in range(1, count + 1)
]
_DMAC = {
    **{
        f"Scale_{level}.features.{place}.convb.": f"features.{name}."
        for (level, place), name in zip(
            [
                *((3, place) for place in (0, 1, 3, 4, 6, 7, 8)),
                *((4, place) for place in (0, 1, 2)),
                *((5, place) for place in (0, 1, 2)),
            ],
            _CONVOLUTIONS,
            strict=True,
        )
    },
    "classifier.conv2d_list.": "aspp.branches.",
}
_DMVN_BN = {
    **{
        f"base.{place}.": f"features.{name}."
        for place, name in zip((0, 2, 5, 7, 10, 12, 14, 17, 19, 21), _CONVOLUTIONS, strict=False)
    },
    "pool_inceptor.branch_pool.": "matching.inception.pooled.",
    "pool_inceptor.branch1x1.": "matching.inception.one.",
    "pool_inceptor.branch3x3dbl_1.": "matching.inception.three.0.",
    "pool_inceptor.branch3x3dbl_2.": "matching.inception.three.1.",
    "pool_inceptor.branch5x5_1.": "matching.inception.five.0.",
    "pool_inceptor.branch5x5_2.": "matching.inception.five.1.",
    "pool_inceptor.final_conv.": "matching.final.",
    **{
        f"classifier.incep{number}.branch{side}x{side}.": f"decoder.{block}.branches.{k}."
        for number, block, sides in (
            *((n, f"blocks.{n - 1}", (1, 3, 5)) for n in (1, 2, 3, 4)),
            (5, "last", (5, 7, 11)),
        )
        for k, side in enumerate(sides)
    },
    "classifier.conv.": "decoder.mask.",
}
_PREFIXES = {"dmac": _DMAC, "dmvn-bn": _DMVN_BN}


def recognise_network(keys: Iterable[str]) -> str | None:
    """Return the architecture whose published names most of the keys have; None if none has any.

    >>> recognise_network(["Scale_3.features.0.convb.weight"])
    'dmac'
    >>> recognise_network(["layer1.0.weight"]) is None
    True
    """
    keys = list(keys)
    hits = {
        name: sum(key.startswith(tuple(prefixes)) for key in keys)
        for name, prefixes in _PREFIXES.items()
    }
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] else None


def rename_key(architecture: str, key: str) -> str:
    """Return our name of a published key; a key that is not among those stays as it is.

    >>> rename_key("dmac", "Scale_4.features.2.convb.bias")
    'features.conv4_3.bias'
    >>> rename_key("dmvn-bn", "classifier.incep5.branch7x7.bn.weight")
    'decoder.last.branches.1.bn.weight'
    """
    for published, ours in _PREFIXES[architecture].items():
        if key.startswith(published):
            return ours + key.removeprefix(published)
    return key
