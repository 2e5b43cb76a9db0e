"""Small lists of pairs of files, in everybody's formats."""

import csv
from pathlib import Path

import cv2
import numpy as np
from planted import planted

NAMES = ("raw", "shifted", "other")


def save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    assert cv2.imwrite(str(path), bgr)


def sized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    how = cv2.INTER_CUBIC if picture.ndim == 3 else cv2.INTER_NEAREST
    return cv2.resize(picture, size, interpolation=how)


def write_table(path: Path, rows: list[list[object]], separator: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    return path


def write_plain(root: Path) -> Path:
    """Two planted copies of sizes of their own with masks, and two pictures that share nothing."""
    rows: list[list[object]] = [["probe", "donor", "label", "probe_mask", "donor_mask"]]
    shifts = {"raw": {}, "shifted": {"shift_x_px": 31, "shift_y_px": 45}}
    for name, shift in shifts.items():
        view, masks = planted(**shift)
        for side, picture, mask, size in (
            ("probe", view.probe, masks[0], (320, 240)),
            ("donor", view.donor, masks[1], (256, 300)),
        ):
            save(root / f"{name}-{side}.png", sized(picture, size))
            save(root / "masks" / f"{name}-{side}.png", sized(mask.astype(np.uint8) * 255, size))
        files = [f"{name}-probe.png", f"{name}-donor.png"]
        rows.append([*files, 1, *(f"masks/{file}" for file in files)])
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    save(root / "other-probe.png", sized(noise, (200, 160)))
    rows.append(["other-probe.png", "raw-donor.png", 0, "", ""])
    return write_table(root / "pairs.csv", rows)


def write_mfc(root: Path, name: str = "MFC18_Tiny") -> Path:
    """The same pairs as NIST has them: an index, a reference, masks black on white."""
    write_plain(root)
    sizes = {"probe": (320, 240), "donor": (256, 300)}
    columns = "TaskID|ProbeFileID|ProbeFileName|ProbeWidth|ProbeHeight|DonorFileID|DonorFileName"
    index: list[list[object]] = [f"{columns}|DonorWidth|DonorHeight".split("|")]
    masks = "ProbeMaskFileName|BinaryProbeMaskFileName"
    columns = f"TaskID|ProbeFileID|ProbeFileName|{masks}|DonorFileID|DonorFileName"
    reference: list[list[object]] = [f"{columns}|DonorMaskFileName|IsTarget".split("|")]
    for pair in NAMES:
        target = pair != "other"
        donor = pair if target else "raw"
        probe_size = sizes["probe"] if target else (200, 160)
        ids = [f"p-{pair}", f"{pair}-probe.png"], [f"d-{donor}", f"{donor}-donor.png"]
        index.append(["splice", *ids[0], *probe_size, *ids[1], *sizes["donor"]])
        files = ["", ""]
        if target:
            files = [f"reference/splice/mask/{pair}-{side}.png" for side in sizes]
            for mask in files:
                white = cv2.imread(str(root / "masks" / Path(mask).name), cv2.IMREAD_GRAYSCALE)
                save(root / mask, 255 - white)
        reference.append(["splice", *ids[0], files[0], files[0], *ids[1], files[1], "NY"[target]])
    write_table(root / "reference" / "splice" / f"{name}-splice-ref.csv", reference, "|")
    return write_table(root / "indexes" / f"{name}-splice-index.csv", index, "|")


def write_release(root: Path, name: str = "val2014_combine_fore_norm.csv") -> Path:
    """Smooth noise of 512 px and masks of 512 px, two pairs and a negative one."""
    rng = np.random.default_rng(3)
    for k in range(4):
        noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        large = cv2.resize(noise, (512, 512), interpolation=cv2.INTER_CUBIC)
        save(root / f"{'combine_6' if k % 2 else 'val2014resize_512'}" / f"{k}.jpg", large)
        mask = np.zeros((512, 512), dtype=np.uint8)
        cv2.circle(mask, (200 + 30 * k, 250), 60 + 11 * k, 255, -1)
        save(root / "gt_combine_6" / f"{k}.png", mask)
    rows: list[list[object]] = [["image1", "image2", "label", "gt1", "gt2"]]
    for k in (0, 2):
        files = [f"val2014resize_512/{k}.jpg", f"combine_6/{k + 1}.jpg"]
        rows.append([*files, 1, f"gt_combine_6/{k}.png", f"gt_combine_6/{k + 1}.png"])
    rows.append(["val2014resize_512/0.jpg", "combine_6/3.jpg", 0, "", ""])
    return write_table(root / name, rows)


def write_casia(root: Path) -> Path:
    """Two pairs under CASIA's names, one of them planted."""
    view, _ = planted(shift_x_px=31, shift_y_px=45)
    tampered = "Tp_D_NRN_S_N_cha00001_cha00002_00001"
    save(root / "CASIA2" / "Tp" / f"{tampered}.tif", view.probe)
    save(root / "CASIA2" / "Au" / "Au_cha_00002.jpg", view.donor)
    noise = np.random.default_rng(1).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    save(root / "CASIA2" / "Au" / "Au_cha_00003.bmp", sized(noise, (384, 256)))
    rows: list[list[object]] = [
        ["ProbeID", "DonorID", "Label"],
        [tampered, "Au_cha_00002", 1],
        ["Au_cha_00003", "Au_cha_00002", 0],
    ]
    return write_table(root / "paired_CASIA_ids.csv", rows)
