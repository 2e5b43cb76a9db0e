"""From what a user asks for to jobs and settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from joblib import cpu_count

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.pair_sources import open_chosen
from cisdl_bench.progress import Progress
from cisdl_bench.scoring.perturb import Perturbation, parse_perturbations
from cisdl_bench.scoring.run import Job
from cisdl_bench.scoring.settings import Settings


def jobs_of(
    data: Sequence[Path],
    names: Sequence[str],
    perturb: str | None,
    lists: ListOptions,
    progress: Progress,
) -> list[Job]:
    """Return one job for each chosen set under each perturbation; see ``open_chosen``.

    Args:
        data: Sets and lists.
        names: Which of them.
        perturb: A list such as ``none,jpeg:70``; None is pictures as they are.
        lists: How lists are read.
        progress: Hears how their files are looked at.

    Raises:
        CisdlError: Nothing is there, nothing is chosen, or a list cannot be used.
    """
    perturbations = parse_perturbations(perturb) if perturb else [Perturbation()]
    chosen = open_chosen(data, names, lists, progress)
    return [Job(pairs, each) for pairs in chosen for each in perturbations]


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
        workers = 0 if networked else cpu_count()
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
