"""The pairs of NIST's splice task, scored at their pictures' own sizes with no-score zones."""

from pathlib import Path
from typing import Any

from cisdl_bench.adapters.pairs import ListedPairs
from cisdl_bench.adapters.predictions import Predictions
from cisdl_bench.errors import SourceError
from cisdl_bench.nist.no_score import Zones, score_reference
from cisdl_bench.pairs import Reference

NIST_ROWS, NIST_SUMMARY = "nist.csv", "nist.json"


class NistPairs(ListedPairs):
    """Pairs of an index of NIST's; see ``pairs.Pairs``."""

    own_files = (NIST_ROWS, NIST_SUMMARY)

    def predicted_shapes(self, index: int, side: int) -> list[tuple[int, int]]:
        """Return the shapes that a predicted mask may have: its picture's own alone."""
        return super().predicted_shapes(index, side)[:1]

    def reference(
        self, index: int, side: int, shape: tuple[int, int], zones: tuple[int, int] = (0, 0)
    ) -> Reference | None:
        """Return what is manipulated and what is scored; None where the mask is not scored at all.

        Raises:
            SourceError: The true mask is of another size than the index says, or cannot be read.
        """
        if not self.known(index)[side]:
            return None
        levels = self.mask_levels(index, side)
        if levels is None:
            return super().reference(index, side, shape, zones)
        if levels.shape[:2] != shape:
            raise SourceError.expected(
                f"{self.path}: pair {index}",
                f"a true mask of {shape[1]} x {shape[0]} px",
                f"{levels.shape[1]} x {levels.shape[0]}",
                "Correct the index or the reference",
            )
        return score_reference(levels, Zones(*zones), donor=side == 1)

    def write_own_scores(self, predictions: Predictions, folder: Path, options: Any) -> str:
        """Write ``nist.csv`` and ``nist.json`` beside a result; return a line about them."""
        from cisdl_bench.nist.predicted import describe, write_nist  # imports torch

        summary: dict[str, Any] = write_nist(predictions, self, folder, options)
        return f"NIST: {describe(summary['all'])}; {folder / NIST_ROWS}"
