"""The metrics of ``score`` in anybody's loop, with or without torchmetrics."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from cisdl_bench.metrics.counts import Counts
from cisdl_bench.metrics.summary import ScoredPairs, summarise
from cisdl_bench.models.detection import Detection
from cisdl_bench.models.networks.upsample import resize_masks
from cisdl_bench.scoring import metric_base
from cisdl_bench.scoring.by_batch import MASK_COLUMNS, measure
from cisdl_bench.scoring.row_lines import check_ends

if TYPE_CHECKING:
    from cisdl_bench.scoring.metric_base import Metric
else:
    try:
        from torchmetrics import Metric
    except ImportError:
        Metric = metric_base.Metric

_COLUMNS = 2 * MASK_COLUMNS + 5  # masks and score, label, both known, whether there is a score


class PairMetrics(Metric):
    """The numbers of a set, from the masks of its pairs, added batch by batch.

    A ``torchmetrics.Metric`` where torchmetrics is installed; else it has the same ``update``,
    ``compute`` and ``reset``. Kept are counts and scores of each pair, no masks; in several
    processes of ``torch.distributed``, ``compute`` gathers those of all. The numbers are those of
    ``score`` for the same masks, to the last bit, in any order and on any number of processes.

    Args:
        threshold: Probability above which a pixel is called tampered.
        settings: Further settings of ``torchmetrics.Metric``, such as ``sync_on_compute``.

    >>> masks = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    >>> truth = torch.tensor([[[1, 0], [0, 0]]])
    >>> metrics = PairMetrics()
    >>> metrics.update(masks, masks, truth, truth)
    >>> float(metrics.compute()["iou"])
    0.5
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = None
    rows: list[Tensor]

    def __init__(self, threshold: float = 0.5, **settings: Any) -> None:
        super().__init__(**settings)
        self.threshold = threshold
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    @torch.no_grad()
    def update(
        self,
        probe: Tensor,
        donor: Tensor,
        probe_mask: Tensor,
        donor_mask: Tensor,
        score: Tensor | None = None,
        label: Tensor | None = None,
        known: Tensor | None = None,
    ) -> None:
        """Add a batch of pairs.

        Args:
            probe: Predicted probabilities of the probes' pixels, 0 to 1, (N, h, w) or
                (N, 1, h, w), of any resolution: resampled to the true masks' as ``score`` does.
            donor: Predicted probabilities of the donors' pixels, shaped as ``probe``.
            probe_mask: True masks of the probes, not 0 is tampered, (N, H, W) or (N, 1, H, W).
            donor_mask: True masks of the donors, shaped as ``probe_mask``.
            score: Predicted probabilities that the pictures share a region, (N,); None where the
                network has no such output.
            label: 1 where the pictures share a region, 0 where they do not, -1 where it is not
                known, (N,); None takes 1 where a true mask is not empty.
            known: Whether the truth of both masks is known, bool (N, 2); None: it is.

        Raises:
            ValueError: The shapes do not fit.
        """
        probe, donor, probe_mask, donor_mask = (
            torch.as_tensor(masks) for masks in (probe, donor, probe_mask, donor_mask)
        )
        score, label, known = (
            value if value is None else torch.as_tensor(value) for value in (score, label, known)
        )
        n = len(probe)
        truth = [mask.reshape(-1, *mask.shape[-2:]) for mask in (probe_mask, donor_mask)]
        for name, maps in zip(("probe_mask", "donor_mask"), truth, strict=True):
            if len(maps) != n:
                raise ValueError(f"{name}: expected {n} masks, as of probe, got {len(maps)}.")
        predicted = [
            resize_masks(maps, mask.shape[-2:])
            for maps, mask in zip((probe, donor), truth, strict=True)
        ]
        detection = Detection(predicted[0], predicted[1], score)
        batch = {"probe_mask": truth[0], "donor_mask": truth[1]}
        measures = measure(detection, batch, self.threshold)
        if label is None:
            label = truth[0].flatten(1).any(dim=1) | truth[1].flatten(1).any(dim=1)
        if known is None:
            known = torch.ones(n, 2)
        has_score = torch.full((n, 1), score is not None)
        facts = [label.reshape(n, 1), known.reshape(n, 2), has_score]
        more = [fact.to(measures) for fact in facts]
        self.rows.append(torch.cat([measures, *more], dim=1))

    def compute(self) -> dict[str, Tensor]:
        """Return the numbers of all pairs so far, as ``result.json`` names them in ``summary``.

        Returns:
            float64 tensors without dimensions; intervals are not among them.

        Raises:
            ModelError: A mask or a score is NaN or outside 0 to 1.
        """
        rows = self.rows  # a tensor where torchmetrics has gathered them
        if isinstance(rows, list):
            table = torch.cat(rows) if rows else torch.empty(0, _COLUMNS)
        else:
            table = rows
        if isinstance(self, metric_base.Metric):
            table = self.gather(table)
        summary = summarise(_scored_pairs(table.double().cpu().numpy()), resamples=0)
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in summary.items()}


def _scored_pairs(table: Any) -> ScoredPairs:
    """Return what metrics need of pairs, from the columns of ``update``, float64 (n, columns)."""
    masks = table[:, : 2 * MASK_COLUMNS].reshape(-1, 2, MASK_COLUMNS)
    own_scores, label, known, has_score = table[:, -5], table[:, -4], table[:, -3:-1], table[:, -1]
    ends = np.concatenate([masks[:, :, 5:7].reshape(-1, 4), own_scores[:, None]], axis=1)
    for number, (pair_ends, scored) in enumerate(zip(ends, has_score, strict=True)):
        check_ends("PairMetrics", str(number), pair_ends.tolist()[: 5 if scored else 4])
    counts = Counts(*np.moveaxis(masks[:, :, :4], 2, 0).astype(np.int64))
    predicted = counts.tp + counts.fp
    inside = np.zeros(predicted.shape)
    np.divide(masks[:, :, 4], predicted, out=inside, where=predicted > 0)
    own_scores = np.where(has_score, own_scores, np.nan)
    return ScoredPairs(
        label.astype(np.int64), counts, known == 1, np.minimum(inside, 1.0), own_scores
    )
