"""Random streams keyed by what they are for, never by worker, time or order."""

import hashlib
import math
import threading
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

_PER_COUNTER = 4  # numbers of 64 bits that Philox makes at each value of its counter


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
        seed: Seed of the run.
        names: Purpose of the stream, such as a set and a difficulty.
        index: Number of the thing among others of its kind, 0 or more.

    >>> stream(0, "rotation", "easy", index=7).random() == stream(
    ...     0, "rotation", "easy", index=7).random()
    True
    """
    counter = np.array([0, 0, index, 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=_key(seed, names), counter=counter))


def uniform_block(
    seed: int, *names: str, first: int, shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Return part of one endless sequence of uniform numbers from 0 to 1, the same by any part.

    What is numbered from 0 on and takes k numbers each gets its own at ``number * k``: a block of
    many is drawn at once, and is what each alone would have drawn.

    Args:
        seed: Seed of the run.
        names: Purpose of the sequence, such as a set, a difficulty and a transformation.
        first: Position of the first number in the sequence.
        shape: Shape of the result, filled in C order.

    >>> both = uniform_block(0, "a", first=5, shape=(2, 3))
    >>> bool((uniform_block(0, "a", first=8, shape=(3,)) == both[1]).all())
    True
    """
    at, skipped = divmod(first, _PER_COUNTER)
    with _SEQUENCES:
        rng, state = _sequence(seed, names)
        state["state"]["counter"][0] = at
        rng.bit_generator.state = state  # five times faster than a new generator
        return rng.random(skipped + math.prod(shape))[skipped:].reshape(shape)


_SEQUENCES = threading.Lock()


@lru_cache(maxsize=1024)
def _sequence(seed: int, names: tuple[str, ...]) -> tuple[np.random.Generator, dict[str, Any]]:
    """Return a generator, and its state before the first number; only the counter is changed."""
    philox = np.random.Philox(key=_key(seed, names), counter=np.zeros(4, dtype=np.uint64))
    state: Any = philox.state
    return np.random.Generator(philox), state


def permutation(rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
    """Return a random order of ``range(n)``, int64, shape (n,)."""
    return np.argsort(rng.random(n), kind="stable")
