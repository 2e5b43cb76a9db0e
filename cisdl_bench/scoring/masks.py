"""A detector's masks as pictures: 8-bit PNG, 255 is probability 1."""

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.store.atomic import write_whole


class MaskSink(Protocol):
    """Where a detector's masks go; it pickles, for worker processes."""

    def save(self, index: int, side: str, mask: npt.NDArray[np.float32]) -> None:
        """Keep one mask, float32 (H, W), of a pair's ``probe`` or ``donor``."""
        ...


class MaskFolder:
    """Where masks of a set go: ``masks/000017-probe.png`` and ``-donor.png``.

    Args:
        folder: Folder of a set's result.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder.absolute() / "masks"

    def file(self, index: int, side: str) -> Path:
        """Return a mask's file."""
        return self.path / f"{index:06d}-{side}.png"

    def has(self, index: int) -> bool:
        """Return whether both masks of a pair are written."""
        return all(self.file(index, side).exists() for side in ("probe", "donor"))

    def save(self, index: int, side: str, mask: npt.NDArray[np.float32]) -> None:
        """Write one mask, float32 (H, W)."""
        grey = np.rint(np.asarray(mask) * 255).astype(np.uint8)
        _, data = cv2.imencode(".png", grey)
        write_whole(self.file(index, side), data.tobytes(), flush=False)
