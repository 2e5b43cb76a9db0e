"""Data sets and benchmarks for constrained image splicing detection and localization.

``import cisdl_bench as cb`` gives the functions and classes of ``__all__``, each imported when it
is first used; everything else is private and may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cisdl_bench import metrics
    from cisdl_bench.api import (
        detect,
        generate,
        load_checkpoint,
        load_results,
        open_pairs,
        score,
    )
    from cisdl_bench.errors import CisdlError
    from cisdl_bench.pairs import Pair
    from cisdl_bench.scoring.pair_metrics import PairMetrics
    from cisdl_bench.store.torch_view import PairDataset, pair_loader

__version__ = "0.1.0"
__all__ = [
    "CisdlError",
    "Pair",
    "PairDataset",
    "PairMetrics",
    "detect",
    "generate",
    "load_checkpoint",
    "load_results",
    "metrics",
    "open_pairs",
    "pair_loader",
    "score",
]

_MODULES = {
    "CisdlError": "errors",
    "Pair": "pairs",
    "PairDataset": "store.torch_view",
    "PairMetrics": "scoring.pair_metrics",
    "pair_loader": "store.torch_view",
}


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return import_module("cisdl_bench.metrics")
    if name not in __all__:
        raise AttributeError(f"module 'cisdl_bench' has no attribute {name!r}")
    return getattr(import_module(f"cisdl_bench.{_MODULES.get(name, 'api')}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
