"""Add scikit-image's own segments to the hand-drawn outlines of the built-in photographs.

    python benchmarks/make_demo_outlines.py data_specs/demo/outlines.json

The result is kept in the repository, so that the built-in data set does not change with
scikit-image's version or with the machine's way of sorting equal numbers.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
from skimage.segmentation import felzenszwalb

from cisdl_bench.sources.demo import photograph

SEGMENT = 1
SMALLEST, LARGEST = 0.01, 0.5


def segments(name: str) -> list[list[float]]:
    """Return one simplified polygon for each segment of a photograph, largest first."""
    photo = photograph(name)
    pixels = photo.shape[0] * photo.shape[1]
    labels = felzenszwalb(photo, scale=400, sigma=1.2, min_size=pixels // 100)
    outlines = []
    for label in range(labels.max() + 1):
        mask = (labels == label).astype(np.uint8)
        found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outline = cv2.approxPolyDP(max(found, key=cv2.contourArea), 1.5, closed=True)
        share = cv2.contourArea(outline) / pixels
        if SMALLEST < share < LARGEST and len(outline) >= 3:
            outlines.append((share, outline.ravel().astype(float).tolist()))
    return [outline for _, outline in sorted(outlines, reverse=True)]


def main(path: Path) -> None:
    """Replace the segments in an outlines file."""
    table = json.loads(path.read_text("utf-8"))
    drawn = [entry for entry in table["annotations"] if entry["category_id"] != SEGMENT]
    for image in table["images"]:
        for outline in segments(image["file_name"]):
            drawn.append(
                {"image_id": image["id"], "category_id": SEGMENT, "segmentation": [outline]}
            )
    table["annotations"] = [{**entry, "id": k} for k, entry in enumerate(drawn, start=1)]
    lines = ",\n".join(json.dumps(entry) for entry in table["annotations"])
    head = {key: value for key, value in table.items() if key != "annotations"}
    text = json.dumps(head, indent=1)[:-2] + ',\n "annotations": [\n' + lines + "\n]}\n"
    path.write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
