"""Where results come from: commands that give them again, days, versions and hashes, as text."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cisdl_bench import __version__
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.records import DIFFICULTIES
from cisdl_bench.report.methods import split_set
from cisdl_bench.results.result import Result
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation

_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{4,}\b")
#: Settings that change rows, or that a reader wants to repeat, and their options.
_CANVAS = ListOptions().size
_VALUES = {"threshold": "--threshold", "precision": "--precision", "window": "--window"}
_VALUES |= {"stride": "--stride", "convention": "--convention"}


def shorten_hash(text: str) -> str:
    """Return a text with each long hash cut to twelve digits; everything else stays.

    >>> shorten_hash("luo-blocks 6fc055e08787f30c")
    'luo-blocks 6fc055e08787…'
    """
    return _HASH.sub(r"\1…", text)


def describe_days(results: Sequence[Result]) -> str:
    """Return the day, or the first and the last day, on which results were scored.

    >>> describe_days([])
    ''
    """
    days = sorted({f"{result.finished:%Y-%m-%d}" for result in results})
    return " to ".join(dict.fromkeys([days[0], days[-1]])) if days else ""


def describe_versions(result: Result) -> str:
    """Return the versions that a result was scored with, such as ``torch 2.13.0, numpy 2.4.6``."""
    versions = result.record["versions"]
    return ", ".join(f"{package} {number}" for package, number in versions.items())


def list_provenance(
    results: Sequence[Result], names: Mapping[Path, str], runs: Sequence[Path], target: Path
) -> str:
    """Return everything that is needed to score again, as lines that a shell takes.

    Args:
        results: Results of all methods.
        names: Names of the runs.
        runs: Folders that the report is of.
        target: File of the report.
    """
    lines = []
    for run, name in names.items():
        own = [result for result in results if result.path.parent == run]
        facts = {
            f"{r.record['request']['identity']}; {r.record['device']}; {describe_versions(r)}": r
            for r in own
        }
        lines += [f"# {name}, {describe_days(own)}", *(f"#   {fact}" for fact in facts)]
        lines += [*list_commands(own), ""]
    lines += ["# this page, by cisdl-bench " + __version__]
    words = ["cisdl-bench", "report", *map(_name_path, runs), "-o", _name_path(target)]
    lines += [" ".join(_quote(*words)), ""]
    lines += ["# pairs: set, number, fingerprint of pixels, masks and labels"]
    for name, number, fingerprint in sorted({_describe_pairs(result) for result in results}):
        lines.append(f"#   {name}  {number:,}  {fingerprint}")
    # A comment ends with its line: whatever a name holds, nothing of it becomes a command.
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def _describe_pairs(result: Result) -> tuple[str, int, str]:
    return (
        result.set,
        int(result.record["summary"]["pairs"]),
        str(result.record["request"]["fingerprint"]),
    )


def list_commands(results: Sequence[Result]) -> list[str]:
    """Return the commands that score one method's results again, one for each way of scoring.

    A checkpoint is called by its name: its file may lie anywhere.
    """
    groups: dict[tuple[str, ...], dict[str, dict[str, None]]] = {}
    for result in results:
        words, name = _find_words(result)
        steps = groups.setdefault(words, {}).setdefault(name, {})
        steps[_name_steps(result.perturbation)] = None
    commands: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for words, by_set in groups.items():
        for name, steps in by_set.items():
            commands.setdefault((words, tuple(steps)), []).append(name)
    lines = []
    for (words, perturbations), names in commands.items():
        families = [name for name in _join_families(names) if name]
        chosen = [word for name in families for word in ("--set", name)]
        if perturbations != ("none",):
            chosen += ["--perturb", ",".join(perturbations)]
        lines.append(" ".join(_quote("cisdl-bench", "score", *words, *chosen)))
    return lines


def _find_words(result: Result) -> tuple[tuple[str, ...], str]:
    """Return the words of a result's command, but for its set and perturbation, and its set."""
    request, origin = result.record["request"], result.record["origin"]
    settings: dict[str, Any] = {**result.record["settings"], **request}
    path = Path(str(origin["path"]))
    is_list = "skip_unusable" in origin
    in_folder = not is_list and path.name == result.set
    made_elsewhere = origin.get("pictures") is False
    words = ["--predictions", result.detector] if made_elsewhere else [result.detector]
    words += ["--data", _name_path(path.parent if in_folder else path)]
    for key in ("images", "reference"):
        words += [f"--{key}", _name_path(Path(str(origin[key])))] if origin.get(key) else []
    words += ["--size", str(origin["size"])] if is_list and origin["size"] != _CANVAS else []
    words += ["--skip-unusable"] if origin.get("skip_unusable") else []
    plain = ScoreOptions()
    for key, option in _VALUES.items():
        value = settings.get(key)
        words += [option, str(value)] if value not in (None, getattr(plain, key)) else []
    zones = settings.get("zones") or ()
    words += ["--zones", ",".join(map(str, zones))] if any(zones) else []
    words += ["--perturb-on", "both"] if settings.get("perturb_donor") else []
    words += ["--detector", "mask"] if settings.get("own_score") is False else []
    words += ["--save-masks"] if settings.get("save_masks") else []
    data, pairs = result.record["data"], result.record["summary"]["pairs"]
    if data.get("spec") and data.get("whole", pairs) > pairs:  # of a set, nothing else is left out
        words += ["--limit", str(pairs)]
    return tuple(words), result.set if in_folder or origin.get("part") else ""


def _name_steps(perturbation: str) -> str:
    """Return a perturbation as ``--perturb`` takes it.

    >>> _name_steps("jpeg-70+blur-1.5"), _name_steps("")
    ('jpeg:70+blur:1.5', 'none')
    """
    steps = Perturbation.named(perturbation).steps
    return "+".join(f"{step}:{strength:g}" for step, strength in steps) or "none"


def _join_families(names: Sequence[str]) -> list[str]:
    """Return names of sets, a family in all difficulties by its own name.

    >>> _join_families(["raw-easy", "raw-normal", "raw-difficult", "shift-easy"])
    ['raw', 'shift-easy']
    """
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(split_set(name)[0], []).append(name)
    joined = []
    for family, members in families.items():
        joined += [family] if len(members) == len(DIFFICULTIES) else members
    return joined


def _name_path(path: Path) -> str:
    """Return a path as one types it: from the current folder where it lies below that."""
    below = path.is_absolute() and path.is_relative_to(Path.cwd())
    return str(path.relative_to(Path.cwd()) if below else path)


def _quote(*words: object) -> list[str]:
    return [shlex.quote(str(word)) for word in words]
