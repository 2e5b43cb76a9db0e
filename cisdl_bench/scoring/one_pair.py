"""One pair of pictures of any sizes: both masks at the pictures' own sizes, and a probability."""

from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from cisdl_bench.metrics.mask_score import mean_inside, pair_score
from cisdl_bench.models.detectors import Detector, NetworkDetector
from cisdl_bench.models.pair_detector import Masks, Probability, View
from cisdl_bench.records import Pixels
from cisdl_bench.scoring.options import ScoreOptions, inference
from cisdl_bench.scoring.rows import nan_answer

#: Methods that need no training: what ``detect`` runs where no model is named.
UNTRAINED = ("luo-blocks", "zernike-blocks", "sift-ransac", "dense-field")


def look_at_pair(
    detector: Detector, probe: Pixels, donor: Pixels, size: int, options: ScoreOptions
) -> Masks:
    """Return a detector's masks of two pictures, and the probability that they share a region.

    Both are resized to the canvas that detectors are made for, bicubically and with
    anti-aliasing; the masks are brought back bilinearly. The score is the detector's own where it
    has one, else the paper's from both masks (section IV-D).

    Args:
        detector: What looks.
        probe: uint8 RGB, (H, W, 3).
        donor: uint8 RGB, of any other size.
        size: Side of the canvas in px.
        options: Device, precision, threshold.

    Raises:
        ModelError: A mask or the score is NaN.
    """
    small = [
        np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC))
        for picture in (probe, donor)
    ]
    if isinstance(detector, NetworkDetector):
        network: Any = detector.network.to(options.device)
        both = [
            torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].to(options.device)
            for picture in small
        ]
        with inference(options):
            found = network.detect(*both)
        masks = [mask[0].float().cpu().numpy() for mask in (found.probe, found.donor)]
        own = None if found.score is None else float(found.score[0])
    else:
        seen = detector.look(View(small[0], small[1], "pair"))
        masks, own = [seen.probe, seen.donor], seen.score
    if any(np.isnan(mask).any() for mask in masks) or own != own:
        raise nan_answer(detector.name, "of these pictures")
    scores = [float(mean_inside(mask, options.threshold)) for mask in masks]
    score = own if own is not None else float(pair_score(*scores))
    of_probe, of_donor = (
        _at(mask, picture.shape) for mask, picture in zip(masks, (probe, donor), strict=True)
    )
    return Masks(of_probe, of_donor, score)


def _at(mask: Probability, shape: tuple[int, ...]) -> Probability:
    height, width = shape[:2]
    resized = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(resized, 0, 1).astype(np.float32)
