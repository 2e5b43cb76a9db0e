"""From what a user asks for to jobs and settings."""

from collections.abc import Mapping, Sequence
from os import cpu_count
from pathlib import Path
from typing import Any

from cisdl_bench.errors import StoreError
from cisdl_bench.scoring.perturb import Perturbation, parse_perturbations
from cisdl_bench.scoring.run import Job
from cisdl_bench.scoring.settings import Settings
from cisdl_bench.store.sets import find_sets


def jobs_of(data: Sequence[Path], names: Sequence[str], perturb: str | None) -> list[Job]:
    """Return one job for each chosen set under each perturbation.

    Args:
        data: Sets, or folders of sets.
        names: A set is chosen when its folder has one of these names, or begins with it and a
            hyphen. None given: every set but those named training.
        perturb: A list such as ``none,jpeg:70``; None is pictures as they are.

    Raises:
        StoreError: No set is there, or none is chosen.
    """
    there = [path for folder in data for path in find_sets(folder)]
    found = [path for path in there if _chosen(path.absolute().name, names)]
    if not found:
        listed = ", ".join(path.name for path in there[:6])
        raise StoreError.expected(
            f"--set {' '.join(names)}" if names else data[0],
            "a set of that name" if names else "a test set",
            listed,
            "Name one of those, or generate it",
        )
    perturbations = parse_perturbations(perturb) if perturb else [Perturbation()]
    return [Job(path, each) for path in found for each in perturbations]


def _chosen(folder: str, names: Sequence[str]) -> bool:
    if not names:
        return folder.split("-")[-1] != "training"
    words = [name.replace("/", "-").replace("-hard", "-difficult") for name in names]
    return any(folder == word or folder.startswith(f"{word}-") for word in words)


def settings_of(networked: bool, device: str, options: Mapping[str, Any]) -> Settings:
    """Return the settings of a command's options, with its defaults for this machine.

    Args:
        networked: Whether a network is scored.
        device: Where.
        options: By name; None where the user said nothing.
    """
    gpu = device.startswith("cuda")
    workers = options["workers"]
    if workers is None:
        workers = 0 if networked else cpu_count() or 1
    return Settings(
        threshold=options["threshold"],
        own_score=options["detector"] != "mask",
        precision=options["precision"] if networked else "fp32",
        window=options["window"] if networked else None,
        stride=options["stride"] if networked else None,
        device=device,
        batch_size=options["batch_size"] or (64 if gpu else 8),
        workers=workers,
        compile=options["compiled"] and networked,
        save_masks=options["save_masks"],
        perturb_donor=options["perturb_on"] == "both",
    )
