"""Methods that need no weights, by the names that users give them.

A new method is a file beside this one and an entry in ``PAIR_DETECTORS``.
"""

from collections.abc import Callable

from cisdl_bench.models.classical.dense_field import DenseField
from cisdl_bench.models.classical.luo_blocks import LuoBlocks
from cisdl_bench.models.classical.reference_detectors import Empty, Oracle, Random
from cisdl_bench.models.classical.sift_ransac import SiftRansac
from cisdl_bench.models.classical.zernike_blocks import ZernikeBlocks
from cisdl_bench.models.detection import PairMethod

PAIR_DETECTORS: dict[str, Callable[[], PairMethod]] = {
    "oracle": Oracle,
    "empty": Empty,
    "random": Random,
    "luo-blocks": LuoBlocks.from_spec,
    "zernike-blocks": ZernikeBlocks.from_spec,
    "sift-ransac": SiftRansac.from_spec,
    "dense-field": DenseField.from_spec,
}
#: Those that look at no picture: they show what the metrics say of trivial answers.
REFERENCES = ("oracle", "empty", "random")


def untrained_methods() -> list[str]:
    """Return the methods that look for spliced regions: what ``detect`` runs without ``--model``.

    >>> untrained_methods()
    ['luo-blocks', 'zernike-blocks', 'sift-ransac', 'dense-field']
    """
    return [name for name in PAIR_DETECTORS if name not in REFERENCES]
