"""Made-up miniatures of other people's data sets, in the layouts that FORMATS.md describes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from lists import save


def noise(seed: int, size: tuple[int, int] = (60, 48)) -> np.ndarray:
    width, height = size
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def box_mask(box: tuple[int, int, int, int], size: tuple[int, int] = (60, 48)) -> np.ndarray:
    mask = np.zeros((size[1], size[0]), dtype=np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 255
    return mask


def write_defacto(root: Path) -> Path:
    """Three forgeries in two parts, their donors in a folder of COCO's pictures."""
    donors = {"1/0_000000000011": 91, "1/7_000000000012": 92, "2/10_000000000013": 91}
    for place, (name, donor) in enumerate(donors.items()):
        part, stem = name.split("/")
        about = root / f"splicing_{part}_annotations"
        save(root / f"splicing_{part}_img" / "img" / f"{stem}.tif", noise(place))
        save(about / "probe_mask" / f"{stem}.jpg", box_mask((4, 6, 30, 30)))
        save(about / "donor_mask" / f"{stem}.tif", box_mask((10, 2, 30, 22), (80, 40)))
        graph: dict[str, Any] = {
            "nodes": [
                {"id": "base", "file": f"{stem.split('_')[1]}.jpg"},
                {"id": "donor", "file": f"COCO_train2014_{donor:012d}.jpg", "scale": 1.5},
            ],
            "links": [["donor", "base"]],
        }
        (about / "graph").mkdir(parents=True, exist_ok=True)
        (about / "graph" / f"{stem}.json").write_text(json.dumps(graph))
    for donor in (91, 92):
        save(root / "coco" / f"COCO_train2014_{donor:012d}.jpg", noise(donor, (80, 40)))
    return root


def write_imd2020(root: Path) -> Path:
    """Two originals, one of them manipulated twice."""
    for folder, names in {"00001": ["c8tf5mq_0", "c8tf5mq_1"], "00002": ["d1_0"]}.items():
        save(root / folder / f"{folder}_orig.jpg", noise(int(folder)))
        for place, name in enumerate(names):
            save(root / folder / f"{name}.png", noise(10 + place))
            save(root / folder / f"{name}_mask.png", box_mask((5, 5, 25 + place, 35)))
    return root


def write_miml(root: Path) -> Path:
    """Two pairs; the authentic picture of one is of another size."""
    for place, folder in enumerate(("a pair", "b")):
        save(root / folder / "0.jpg", noise(place, (70 + place, 50)))
        save(root / folder / "1.jpg", noise(5 + place))
        save(root / folder / "1.png", box_mask((8, 8, 40, 40)))
    return root


def write_coverage(root: Path) -> Path:
    """Two forgeries, numbers 2 and 10."""
    for number in (2, 10):
        save(root / "image" / f"{number}.tif", noise(number))
        save(root / "image" / f"{number}t.tif", noise(number + 1))
        for word, box in (("copy", (0, 0, 20, 20)), ("paste", (9, 9, 12, 12))):
            save(root / "mask" / f"{number}{word}.tif", box_mask(box))
        save(root / "mask" / f"{number}forged.tif", box_mask((30, 20, 50, 40)))
    return root


#: Truth of the miniature of BioFors: boxes of pairs by paper.
BIOFORS = {
    "151": {"a.png b.png": [[[0, 0, 30, 40]], [[10, 8, 40, 48]]]},
    "65": {
        "x.png y.png": [[[0, 0, 20, 20], [30, 30, 60, 48]], [[5, 5, 25, 25]]],
        "m.png n.png": [[[0, 0, 60, 24]], [[0, 24, 60, 48]]],
    },
}


def write_biofors(root: Path, *, tested: bool = True) -> Path:
    """Three pairs of two papers that share a region, and two that do not, in three categories."""
    categories = {
        "151": {"a.png": "Microscopy", "b.png": "Microscopy", "c.png": "Microscopy"},
        "65": {"x.png": "Blot/Gel", "y.png": "Blot/Gel", "m.png": "FACS", "n.png": "FACS"},
    }
    test_pairs = {
        "151": {"Microscopy": ["b.png a.png", "a.png c.png"]},
        "65": {"Blot/Gel": ["x.png y.png"], "FACS": ["m.png n.png"]},
    }
    for place, (paper, panels) in enumerate(categories.items()):
        for k, panel in enumerate(panels):
            save(root / paper / panel, noise(10 * place + k))
    (root / "edd_gt.json").write_text(json.dumps(BIOFORS))
    (root / "classification.json").write_text(json.dumps(categories))
    if tested:
        (root / "edd_test_pairs.json").write_text(json.dumps(test_pairs))
    return root


MINIATURES = {
    "defacto": write_defacto,
    "imd2020": write_imd2020,
    "miml": write_miml,
    "coverage": write_coverage,
    "biofors": write_biofors,
}
