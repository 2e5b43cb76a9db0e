"""One pair of pictures of any sizes: both masks at the pictures' own sizes, and a probability."""

import numpy as np
from PIL import Image

from cisdl_bench.metrics.mask_score import mean_inside, pair_score
from cisdl_bench.models.detection import Detection, PairBatch, Probability, View
from cisdl_bench.models.detectors import Detector
from cisdl_bench.records import Pixels
from cisdl_bench.scoring.by_pair import read_detection
from cisdl_bench.scoring.conventions import resize_probability
from cisdl_bench.scoring.options import ScoreOptions, inference


def detect_one(
    detector: Detector, probe: Pixels, donor: Pixels, size: int, options: ScoreOptions
) -> Detection[Probability]:
    """Return a detector's masks of two pictures, and the probability that they share a region.

    Both are resized to the canvas that detectors are made for, bicubically and with
    anti-aliasing; the masks are brought back bilinearly. The score is the detector's own where it
    has one, else the paper's from both masks (section IV-D).

    Args:
        detector: Detector as ``find_detector`` returns it.
        probe: Probe picture, uint8 RGB, (H, W, 3).
        donor: Donor picture, uint8 RGB, of any other size.
        size: Side of the canvas in px.
        options: Device, precision and threshold.

    Raises:
        ModelError: A mask or the score is NaN or outside 0 to 1, or the detector cannot take
            pictures of that size.
    """
    detector.check_side(size, "--size")
    canvas = (size, size)
    small_probe, small_donor = (
        np.array(Image.fromarray(picture).resize(canvas, Image.Resampling.BICUBIC))
        for picture in (probe, donor)
    )
    batch = PairBatch.from_view(View(small_probe, small_donor, "pair"))
    ready = detector.prepare(options.device)
    with inference(options):
        answer = ready.detect(batch.to(options.device))
    detection = read_detection(answer, detector.name, "of these pictures")
    score = detection.score
    if score is None:
        inside = [
            mean_inside(mask, options.threshold) for mask in (detection.probe, detection.donor)
        ]
        score = float(pair_score(*inside))
    probe_mask = resize_probability(detection.probe, (probe.shape[0], probe.shape[1]))
    donor_mask = resize_probability(detection.donor, (donor.shape[0], donor.shape[1]))
    return Detection(probe_mask, donor_mask, score)
