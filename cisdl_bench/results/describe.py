"""A result in one line."""

from collections.abc import Mapping
from typing import Any

from cisdl_bench.metrics.registry import DETECTION, LOCALIZATION, POOLED, RULES
from cisdl_bench.metrics.summary import has_both_labels


def describe_result(result: Mapping[str, Any]) -> str:
    """Return a set's name, the number of its pairs and its headline metrics.

    Such as ``rotation-easy: 3,000 pairs, IoU 0.8712, MCC 0.9245, NMM 0.7603``.

    Args:
        result: Content of a ``result.json``.
    """
    request, summary = result["request"], result["summary"]
    name = request["set"] + (f"@{request['perturbation']}" if request["perturbation"] else "")
    listed = result["data"].get("whole", summary["pairs"])
    of_all = f" of {listed:,}" if summary["pairs"] < listed else ""
    words = [f"{name}: {summary['pairs']:,}{of_all} pairs"]
    for key, metric in POOLED.items():
        if key in summary and summary[key] == summary[key]:  # NaN is undefined
            words.append(f"{metric.title} {metric.show(summary[key])}")
    if summary["masks_unknown"] < 2 * summary["positive_pairs"]:
        for key, metric in LOCALIZATION.items():
            if metric.headline and summary[key] == summary[key]:  # NaN is undefined
                words.append(f"{metric.title} {metric.show(summary[key])}")
    if has_both_labels(summary):
        for rule in ("mask", "own"):
            for key, metric in DETECTION.items():
                value = summary.get(f"{rule}_{key}", float("nan"))
                if metric.headline and value == value:
                    words.append(f"{metric.title}{RULES[rule].ending} {metric.show(value)}")
    return ", ".join(words)
