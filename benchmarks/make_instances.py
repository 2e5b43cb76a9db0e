"""Write a synthetic instances file of train2014's size: 82,783 pictures, 604,907 annotations."""

import json
from pathlib import Path

import numpy as np

PICTURES = 82_783
ANNOTATIONS = 604_907


def write_instances(path: Path, pictures: int = PICTURES, annotations: int = ANNOTATIONS) -> None:
    """Write COCO's instances layout with outlines of about 30 vertices, two decimals each."""
    rng = np.random.default_rng(0)
    owner = np.sort(rng.integers(0, pictures, annotations))
    vertices = rng.integers(12, 48, annotations)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"info": {"description": "synthetic"}, "images": [')
        for k in range(pictures):
            name = f"COCO_train2014_{k:012d}.jpg"
            entry = {"id": k, "file_name": name, "width": 640, "height": 480, "license": 1}
            file.write((", " if k else "") + json.dumps(entry))
        file.write('], "annotations": [')
        for k in range(annotations):
            angle = np.linspace(0, 2 * np.pi, vertices[k], endpoint=False)
            radius = rng.uniform(15, 120)
            centre = rng.uniform(120, 360, 2)
            outline = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius + centre
            entry = {
                "segmentation": [np.round(outline, 2).ravel().tolist()],
                "area": round(float(np.pi * radius**2), 4),
                "iscrowd": 0,
                "image_id": int(owner[k]),
                "bbox": [round(float(v), 2) for v in (*(centre - radius), 2 * radius, 2 * radius)],
                "category_id": 1,
                "id": k,
            }
            file.write((", " if k else "") + json.dumps(entry))
        file.write('], "categories": [{"id": 1, "name": "disc"}]}')
