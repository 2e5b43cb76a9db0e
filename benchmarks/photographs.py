"""A folder in COCO's layout with as many 640x480 JPEGs as asked for, out of real photographs."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (640, 480)


def write_photographs(source: Path, root: Path, count: int, split: str = "train2014") -> Path:
    """Write cuts of a COCO folder's photographs, mirrored or not, with their outlines.

    Args:
        source: COCO folder of the photographs.
        root: Where to write; left as it is where it already holds the count.
        count: How many pictures.
        split: Its split.
    """
    target = root / "annotations" / f"instances_{split}.json"
    if target.exists() and len(json.loads(target.read_text())["images"]) == count:
        return root
    table = json.loads((source / "annotations" / f"instances_{split}.json").read_text())
    outlines: dict[int, list] = {}
    for entry in table["annotations"]:
        if isinstance(entry["segmentation"], list):
            outlines.setdefault(entry["image_id"], []).append(entry["segmentation"])
    (root / split).mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for k in range(count):
        entry = table["images"][k % len(table["images"])]
        with Image.open(source / split / entry["file_name"]) as photo:
            share = rng.uniform(0.6, 1.0, 2)
            wide, high = int(photo.width * share[0]), int(photo.height * share[1])
            left = int(rng.integers(0, photo.width - wide + 1))
            top = int(rng.integers(0, photo.height - high + 1))
            cut = photo.convert("RGB").crop((left, top, left + wide, top + high)).resize(SIZE)
        mirrored = bool(rng.random() < 0.5)
        cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else cut
        name = f"COCO_{split}_{k:012d}.jpg"
        cut.save(root / split / name, quality=90)
        images.append({"id": k, "file_name": name, "width": SIZE[0], "height": SIZE[1]})
        for parts in outlines.get(entry["id"], []):
            moved = []
            for part in parts:
                points = (np.reshape(part, (-1, 2)) - (left, top)) * (
                    SIZE[0] / wide,
                    SIZE[1] / high,
                )
                points = np.clip(points, 0, SIZE)
                points[:, 0] = SIZE[0] - points[:, 0] if mirrored else points[:, 0]
                moved.append(points.round(2).ravel().tolist())
            annotations.append(
                {"id": len(annotations) + 1, "image_id": k, "segmentation": moved, "iscrowd": 0}
            )
    target.write_text(json.dumps({"images": images, "annotations": annotations}))
    return root
