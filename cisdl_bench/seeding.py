"""Random streams keyed by what they are for, never by worker, time or order."""

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt


@lru_cache(maxsize=1024)
def _key(seed: int, names: tuple[str, ...]) -> npt.NDArray[np.uint64]:
    text = "\0".join(("cisdl-bench", str(seed), *names))
    return np.frombuffer(hashlib.sha256(text.encode()).digest()[:16], dtype="<u8")


def stream(seed: int, *names: str, index: int = 0) -> np.random.Generator:
    """Return the random stream of one thing, the same on every machine.

    Philox with 128 bits of key from (seed, names) and the counter's upper half from
    ``index``: streams of different keys or indices never overlap. Only ``random()`` is drawn
    from it anywhere, whose bits do not change between numpy versions.

    Args:
        seed: The run's seed.
        names: What the stream is for, such as a set and a difficulty.
        index: Which one of those, 0 or more.

    >>> stream(0, "rotation", "easy", index=7).random() == stream(
    ...     0, "rotation", "easy", index=7).random()
    True
    """
    counter = np.array([0, 0, index, 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=_key(seed, names), counter=counter))


def permutation(rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
    """Return a random order of ``range(n)``, int64, shape (n,)."""
    return np.argsort(rng.random(n), kind="stable")
