"""Methods that need no weights, by the names that users give them.

A new method is a file beside this one and an entry in ``PAIR_DETECTORS``. Classes are named by
their place, ``module:name``, so that reading this table imports none of them.
"""

from typing import TYPE_CHECKING

from cisdl_bench.by_name import load_by_name
from cisdl_bench.errors import ModelError

if TYPE_CHECKING:
    from cisdl_bench.models.detection import PairMethod

_HERE = "cisdl_bench.models.classical"

PAIR_DETECTORS: dict[str, str] = {
    "oracle": f"{_HERE}.reference_detectors:Oracle",
    "empty": f"{_HERE}.reference_detectors:Empty",
    "random": f"{_HERE}.reference_detectors:Random",
    "luo-blocks": f"{_HERE}.luo_blocks:LuoBlocks",
    "zernike-blocks": f"{_HERE}.zernike_blocks:ZernikeBlocks",
    "sift-ransac": f"{_HERE}.sift_ransac:SiftRansac",
    "dense-field": f"{_HERE}.dense_field:DenseField",
}
#: Those that look at no picture: they show what the metrics say of trivial answers.
REFERENCES = ("oracle", "empty", "random")


def make_method(name: str) -> "PairMethod":
    """Return the method of a name, with its parameters from ``data_specs`` where it has any.

    Raises:
        ModelError: The method calls itself by another name.
    """
    kind = load_by_name(PAIR_DETECTORS[name])
    method: PairMethod = kind.from_spec() if hasattr(kind, "from_spec") else kind()
    if method.name != name:
        raise ModelError.expected(
            f"PAIR_DETECTORS: {name}", "a method of that name", method.name, "Give both one name"
        )
    return method


def untrained_methods() -> list[str]:
    """Return the methods that look for spliced regions: what ``detect`` runs without ``--model``.

    >>> "sift-ransac" in untrained_methods(), "oracle" in untrained_methods()
    (True, False)
    """
    return [name for name in PAIR_DETECTORS if name not in REFERENCES]
