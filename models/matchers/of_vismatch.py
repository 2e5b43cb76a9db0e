"""Any of vismatch's matchers: ``matcher:vismatch/NAME``, such as ``matcher:vismatch/roma``.

Needs the extra ``vismatch``, which brings kornia, timm and others; each of its matchers has a
licence of its own, and weights that are fetched from its hub when the matcher is asked for.
"""

import contextlib
import io
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import numpy as np

from cisdl_bench.errors import ModelError
from cisdl_bench.models.matchers.matcher import Points
from cisdl_bench.models.matchers.weights import hash_tensors, import_package, load_weights
from cisdl_bench.records import Pixels


@dataclass(frozen=True)
class Vismatch:
    """A matcher of vismatch.

    Attributes:
        name: Its name in vismatch.
        matcher: Matcher that vismatch's ``get_matcher`` returned.
        identity: vismatch's version and a hash of the weights.
    """

    name: str
    matcher: Any
    identity: str

    def to(self, device: str) -> "Vismatch":
        """Return the matcher on a torch device; vismatch makes it anew there."""
        if device == str(self.matcher.device):
            return self
        return replace(self, matcher=_get(self.name, device))

    def match(self, donor: Pixels, probe: Pixels) -> tuple[Points, Points]:
        """Return the matched points before vismatch's own RANSAC; see ``Matcher.match``."""
        pictures = [
            np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32) / 255
            for picture in (donor, probe)
        ]
        answer = self.matcher(pictures[0], pictures[1])
        first, second = (
            np.asarray(answer[key], dtype=np.float64).reshape(-1, 2)
            for key in ("matched_kpts0", "matched_kpts1")
        )
        return first, second


def make_vismatch(name: str) -> Vismatch:
    """Return one of vismatch's matchers on the CPU.

    Args:
        name: One of vismatch's ``available_models``.

    Raises:
        ModelError: vismatch is not installed or has no such matcher, or its weights cannot be
            fetched.
    """
    text = f"matcher:vismatch/{name}"
    package = import_package("vismatch", text, "cisdl-bench[vismatch]")
    known = list(package.available_models)
    if name not in known:
        near = get_close_matches(name.casefold(), known, n=3, cutoff=0.4)
        then = f"Did you mean {' or '.join(near)}" if near else "Write one of them"
        raise ModelError.expected(
            text, f"one of vismatch's {len(known)} matchers ({', '.join(known)})", repr(name), then
        )
    matcher = _get(name, "cpu")
    weights = hash_tensors(matcher) if hasattr(matcher, "state_dict") else ""
    version = getattr(package, "__version__", "")
    return Vismatch(name, matcher, f"vismatch {version} {weights}".strip())


def _get(name: str, device: str) -> Any:
    package = import_module("vismatch")

    def load() -> Any:
        # vismatch prints what it fetches to standard output, which `--json` needs.
        with contextlib.redirect_stdout(io.StringIO()):
            matcher = package.get_matcher(name, device=device)
        matcher.skip_ransac = True  # the map of one region, which nobody asks for here
        return matcher

    cache = "HF_HOME, else ~/.cache/huggingface; TORCH_HOME, else ~/.cache/torch"
    return load_weights(f"matcher:vismatch/{name}", cache, load)
