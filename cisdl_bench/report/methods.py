"""What methods are called in tables and figures."""

from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path

from cisdl_bench.errors import RunError
from cisdl_bench.metrics.registry import LOCALIZATION
from cisdl_bench.records import DIFFICULTIES
from cisdl_bench.results.result import Result, find_results
from cisdl_bench.specs import spec_names


def gathered(runs: Sequence[Path]) -> tuple[list[Result], dict[Path, str]]:
    """Return all finished results of runs, and each run's name.

    Raises:
        RunError: A folder holds no results.
    """
    results = [result for run in runs for result in find_results(run)]
    return results, method_names(results)


def gather_defined(runs: Sequence[Path], metric: str) -> tuple[list[Result], dict[Path, str]]:
    """Return the results of runs whose mean of a metric is defined, and each run's name.

    Args:
        runs: Folders of results.
        metric: One of ``LOCALIZATION``, such as ``iou``.

    Raises:
        RunError: A folder holds no results, or the metric is undefined in all of them.
    """
    results, names = gathered(runs)
    defined = [result for result in results if not isnan(result.record["summary"][metric])]
    if not defined:
        raise undefined_error(runs, results, metric)
    return defined, names


def method_names(results: Sequence[Result]) -> dict[Path, str]:
    """Return each run's name: its detector's, with the folder where two runs share one."""
    runs = {result.path.parent: result.detector for result in results}
    names = list(runs.values())
    return {
        run: name if names.count(name) == 1 else f"{name} ({run.name})"
        for run, name in runs.items()
    }


def name_method(result: Result, names: Mapping[Path, str]) -> str:
    """Return a result's method, with its perturbation and the convention of its scores."""
    name = names[result.path.parent]
    convention = result.record["request"].get("convention")
    if convention:
        name = f"{name} ({convention})"
    return f"{name} @ {result.perturbation}" if result.perturbation else name


def list_sets(results: Sequence[Result]) -> str:
    """Return the names of the results' sets for a message, six of them at most."""
    names = list(dict.fromkeys(result.set for result in results))
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more


def split_set(name: str) -> tuple[str, str]:
    """Return a set's family and difficulty; the name and nothing of a set that has none.

    >>> split_set("rotation-easy"), split_set("paired-casia")
    (('rotation', 'easy'), ('paired-casia', ''))
    """
    family, _, difficulty = name.rpartition("-")
    return (family, difficulty) if family and difficulty in DIFFICULTIES else (name, "")


def order_sets(results: Sequence[Result]) -> list[str]:
    """Return the names of the results' sets: families as their specs are ordered, then others."""

    def place(name: str) -> tuple[int, int, str]:
        family, difficulty = split_set(name)
        if family not in specs or not difficulty:
            return len(specs), 0, name
        return specs.index(family), DIFFICULTIES.index(difficulty), name

    specs = spec_names()
    return sorted(dict.fromkeys(result.set for result in results), key=place)


def undefined_error(runs: Sequence[Path], results: Sequence[Result], metric: str) -> RunError:
    """Return the error for results of which none has a value of a metric.

    Args:
        runs: Folders of results.
        results: All results of the runs.
        metric: One of ``LOCALIZATION``, such as ``iou``.
    """
    where, title = ", ".join(map(str, runs)), LOCALIZATION[metric].title
    summaries = [result.record["summary"] for result in results]
    if not any(each["masks_unknown"] < 2 * each["positive_pairs"] for each in summaries):
        return RunError(f"{where}: no result has {title}. Score sets with masks.")
    got, then = "none: it is undefined on all masks", "Choose another --metric"
    return RunError.expected(where, f"masks on which {title} is defined", got, then)
