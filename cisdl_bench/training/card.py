"""Model cards: what a checkpoint is, in Markdown with the front matter of the Hugging Face hub.

A card is made from the training record and the logs, and written again as they grow. What stands
below its line ``KEPT`` was written by a person and stays.
"""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cisdl_bench.errors import CisdlError
from cisdl_bench.hashing import hash_file
from cisdl_bench.metrics.registry import LOCALIZATION, headline_metrics
from cisdl_bench.models.checkpoints.checkpoint import make_about
from cisdl_bench.store.atomic import write_whole
from cisdl_bench.training.checkpoint import Run, describe_training, scored_network
from cisdl_bench.training.log import read_log
from cisdl_bench.training.record import EVALUATION, HISTORY, RECORD, read_record

KEPT = "<!-- What stands below stays when this card is written again. -->"
_TAGS = ("image-forensics", "image-splicing", "constrained-image-splicing-detection")
_PROTOCOL = "https://doi.org/10.1109/TIFS.2019.2902826"


def keep_card(run: Run) -> None:
    """Write the card of a run's checkpoint, beside it."""
    network = scored_network(run)
    about = make_about(network, describe_training(run.experiment, run.record))
    write_card(run.checkpoint, about, read_measured(run.out))


def read_measured(folder: Path) -> dict[str, Any]:
    """Return what a run's folder tells of it: the record, and the last lines of both logs.

    Args:
        folder: Folder of the run; where a file is missing, its part is.
    """
    measured: dict[str, Any] = {}
    with suppress(CisdlError):  # edited or gone: a card says what there is
        measured |= read_record(folder / RECORD)
        measured["losses"] = read_log(folder / HISTORY, ["loss"])[-1:]
        lines = read_log(folder / EVALUATION, ["step", *headline_metrics()])
        measured["evaluation"] = [line for line in lines if line["step"] == lines[-1]["step"]]
    return measured


def write_card(
    checkpoint: Path,
    about: Mapping[str, Any],
    measured: Mapping[str, Any],
    *,
    used_as: str = "",
) -> None:
    """Write a checkpoint's card beside it, whole or not at all.

    Args:
        checkpoint: File of the checkpoint.
        about: Metadata of the checkpoint: architecture, configuration, training, versions.
        measured: Record, losses and evaluation of its run, see ``read_measured``.
        used_as: Name by which `score` gets the checkpoint; empty: its file's.

    Raises:
        StoreError: It cannot be written.
    """
    path = checkpoint.with_suffix(".md")
    sha256 = hash_file(checkpoint)
    text = format_card(checkpoint.name, sha256, about, measured, used_as)
    by_hand = ""
    if path.exists():
        by_hand = path.read_text("utf-8", "replace").partition(f"{KEPT}\n")[2]
    write_whole(path, f"{text}\n{KEPT}\n{by_hand}".encode())


def format_card(
    file: str,
    sha256: str,
    about: Mapping[str, Any],
    measured: Mapping[str, Any],
    used_as: str = "",
) -> str:
    """Return a card as Markdown, without what a person adds; see ``write_card``.

    Args:
        file: Name of the checkpoint's file.
        sha256: Hash of the file.
        about: Metadata of the checkpoint: architecture, configuration, training, versions.
        measured: Record, losses and evaluation of its run, see ``read_measured``.
        used_as: Name by which `score` gets the checkpoint; empty: its file's.
    """
    name, training = Path(file).stem, about["training"]
    program = f"{about['architecture']}@" if ":" in about["architecture"] else ""
    used_as = used_as or f"{program}{file}"
    experiment, request = measured.get("experiment", {}), training.get("request", {})
    title = experiment.get("title", "A network of cisdl-bench")
    evaluation = measured.get("evaluation", [])
    facts = {
        "Network": f"`{about['architecture']}`{_listed(about.get('configuration', {}))}",
        "Parameters": f"{measured['parameters']:,}" if "parameters" in measured else "",
        "Experiment": request.get("experiment", ""),
        "Steps": _describe_steps(training, experiment),
        "Precision, seed": f"{request['precision']}, {request['seed']}" if request else "",
        "Initial weights": training.get("initial_weights", ""),
        "Learnt from": "; ".join(_describe_set(entry) for entry in measured.get("data", []))
        or "; ".join(f"set with fingerprint `{mark[:12]}`" for mark in request.get("data", [])),
        "Loss at the end": "".join(
            f"{float(line['loss']):.4f}" for line in measured.get("losses", [])
        ),
        "Device": training.get("device", ""),
        "Versions": ", ".join(f"{key} {value}" for key, value in about["versions"].items()),
        "Features": _describe_features(about.get("features", {})),
        "SHA-256": f"`{sha256}`",
    }
    return "\n".join(
        [
            *_front_matter(name, evaluation),
            f"# {name}",
            "",
            f"{title}. It says whether a region of one picture was pasted into another, and where "
            f"in both ([protocol]({_PROTOCOL})).",
            "",
            "| | |",
            "| --- | --- |",
            *(f"| {key} | {_cell(value)} |" for key, value in facts.items() if value),
            "",
            *_evaluation_table(evaluation),
            "## Use",
            "",
            "```sh",
            f"cisdl-bench score {used_as}",
            f"cisdl-bench detect probe.jpg donor.jpg --model {used_as}",
            "```",
            "",
            "## Licence and limits",
            "",
            *(f"- {line}" for line in _describe_limits(measured, training)),
            "",
        ]
    )


def _front_matter(name: str, evaluation: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the hub's YAML; its values are JSON, which is YAML."""
    results = [
        {
            "task": {"type": "image-segmentation"},
            "dataset": {"type": "cisdl-bench", "name": str(line.get("set"))},
            "metrics": [
                {"type": metric, "name": LOCALIZATION[metric].title, "value": float(line[metric])}
                for metric in headline_metrics()
                if math.isfinite(float(line[metric]))
            ],
        }
        for line in evaluation
    ]
    results = [result for result in results if result["metrics"]]
    return [
        "---",
        "license: other",
        "license_name: of-the-training-pictures",
        "library_name: cisdl-bench",
        "pipeline_tag: image-segmentation",
        f"tags: {json.dumps(_TAGS)}",
        *([f"model-index: {json.dumps([{'name': name, 'results': results}])}"] if results else []),
        "---",
        "",
    ]


def _evaluation_table(evaluation: Sequence[Mapping[str, str]]) -> list[str]:
    if not evaluation:
        return []
    metrics = headline_metrics()
    titles = [LOCALIZATION[metric].title for metric in metrics]
    rows = [
        f"| {_cell(line.get('set'))} | "
        + " | ".join(LOCALIZATION[m].show(float(line[m])) for m in metrics)
        + " |"
        for line in evaluation
    ]
    return [
        "## Evaluation",
        "",
        f"After step {_cell(evaluation[0]['step'])}, on the first pairs of each set (the growth "
        "curve's); `cisdl-bench score` gives all pairs and intervals.",
        "",
        f"| Set | {' | '.join(titles)} |",
        f"| --- |{' --: |' * len(titles)}",
        *rows,
        "",
    ]


def _describe_steps(training: Mapping[str, Any], experiment: Mapping[str, Any]) -> str:
    if "step" not in training:
        return ""
    text = f"{training['step']:,} of {training['steps']:,}"
    if experiment:
        text += f", of {experiment['batch']} pairs, {experiment['epochs']} epochs in all"
    return text if training["finished"] else f"{text}; not finished"


def _describe_set(entry: Mapping[str, Any]) -> str:
    return (
        f"{entry['set']}, {entry['pairs']:,} pairs of {entry['pictures']} "
        f"(fingerprint `{entry['fingerprint'][:12]}`)"
    )


def _describe_features(features: Mapping[str, str]) -> str:
    return f"not in the file: {features['identity']}, by `cisdl-bench fetch`" if features else ""


def _describe_limits(measured: Mapping[str, Any], training: Mapping[str, Any]) -> list[str]:
    data = measured.get("data", [])
    licences = {
        entry["pictures"]: entry["licence"] or "their annotation file names none" for entry in data
    }
    lines = [f"Licence of {pictures}: {licence}." for pictures, licence in licences.items()]
    lines.append("Use the weights as the licence of the pictures that they learnt from allows.")
    lines.append("Learnt from synthetic composites that are neither blended nor retouched.")
    return lines + [f"Note: {note}" for note in training.get("notes", [])]


def _listed(values: Mapping[str, Any]) -> str:
    return "".join(f", {key} {value}" for key, value in values.items())


def _cell(text: object) -> str:
    return " ".join(str(text).replace("|", "\\|").split())
