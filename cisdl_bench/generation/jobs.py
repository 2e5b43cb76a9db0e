"""From what a command asks for to the sets to be made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cisdl_bench.errors import SpecError
from cisdl_bench.generation.plan import DrawnPlan, Plan
from cisdl_bench.generation.recipe import RecipePlan, read_recipe
from cisdl_bench.records import count_pairs, difficulty_of
from cisdl_bench.sources.coco import CocoSource
from cisdl_bench.specs import (
    SetSpec,
    load_spec,
    name_clash,
    paper_test_sets,
    parse_difficulty,
    spec_names,
)

FindSource = Callable[[str], CocoSource]

_BLOCK = 256  # donors of a 256 px canvas whose composites make one shard


@dataclass(frozen=True)
class SetJob:
    """One set to be made.

    Attributes:
        plan: Candidates of the set.
        folder: Name of the set's folder.
        pairs: Number of pairs, rounded up to whole composites.
        request: Values that decide the content; the same request resumes the same folder.
        note: Warning for the user, said and kept in the manifest; empty: none.
    """

    plan: Plan
    folder: str
    pairs: int
    request: dict[str, Any]
    note: str = ""

    @property
    def spec(self) -> SetSpec:
        """The set's spec."""
        return self.plan.spec

    @property
    def composites(self) -> int:
        """Number of composites that are wanted."""
        return -(-self.pairs // len(self.spec.kinds))

    @property
    def block(self) -> int:
        """Number of candidates of one shard."""
        return max(16, _BLOCK * 256**2 // self.spec.size**2) * self.spec.visits

    @property
    def picture_store(self) -> tuple[str, int]:
        """Name and canvas of the picture store that it shares."""
        spec = self.spec
        saved = "" if spec.jpeg_quality is None else f"-jpeg{spec.jpeg_quality}"
        return f"{self.plan.source.key}-{spec.size}-{spec.resize}{saved}", spec.size


def make_set_jobs(
    names: Sequence[str],
    difficulties: Sequence[str],
    find_source: FindSource,
    *,
    seed: int,
    pairs: int | None,
) -> list[SetJob]:
    """Return the sets that names and difficulties mean.

    Args:
        names: Names or files of specs, or of their sets, such as ``rotation-hard``; ``all`` means
            the paper's seven test sets.
        difficulties: ``difficult`` or ``hard``, ``normal`` or ``medi``, ``easy``, ``all``; none
            given: all.
        find_source: Returns the source of a split, such as ``val``.
        seed: The run's seed.
        pairs: Pairs of each set instead of the spec's number, over as many passes as it takes.

    Raises:
        SpecError: A name or difficulty is unknown, or does not go with the set.
    """
    expanded = [one for name in names for one in (paper_test_sets() if name == "all" else [name])]
    words = [parse_difficulty(word) for word in difficulties]
    jobs: dict[str, SetJob] = {}
    for name, own in dict.fromkeys(map(_split_name, expanded)):
        spec = load_spec(name)
        source = find_source(spec.split)
        for difficulty in _difficulties(spec, [own] if own else words):
            plan = DrawnPlan(spec, seed, source, difficulty, unbounded=pairs is not None)
            count = pairs or spec.pairs
            request = _request(spec, difficulty, seed, count, source)
            job = SetJob(plan, spec.folder(difficulty), count, request, name_clash(spec, name))
            if job.folder in jobs and jobs[job.folder].request != request:
                raise SpecError.expected(
                    f"--set {spec.full_name}", "sets of different names", "two of one", "Rename one"
                )
            jobs[job.folder] = job
    return list(jobs.values())


def make_recipe_job(path: Path, find_source: FindSource) -> tuple[SetJob, str]:
    """Return the set that a recipe builds again, and the fingerprint it must have.

    Raises:
        SourceError: The recipe cannot be used.
    """
    recipe = read_recipe(path)
    spec, difficulty, seed = recipe.spec, str(recipe.head["difficulty"]), int(recipe.head["seed"])
    source = find_source(spec.split)
    plan = RecipePlan(spec, seed, source, recipe)
    pairs = count_pairs(plan.total, spec.kinds)
    request = {**_request(spec, difficulty, seed, pairs, source), "recipe": recipe.sha256}
    return SetJob(plan, spec.folder(difficulty), pairs, request), str(recipe.head["fingerprint"])


def _split_name(name: str) -> tuple[str, str]:
    """Return the spec of a name and the difficulty that the name says; empty where it says none.

    >>> _split_name("rotation-hard"), _split_name("release-raw-easy"), _split_name("scale")
    (('rotation', 'difficult'), ('release/raw', 'easy'), ('scale', ''))
    """
    stem, _, word = name.rpartition("-")
    known = {one.replace("/", "-"): one for one in spec_names()}
    spec = known.get(stem.replace("/", "-"))
    if spec and difficulty_of(word):
        return spec, parse_difficulty(word)
    return known.get(name, name), ""


def _difficulties(spec: SetSpec, words: Sequence[str]) -> Sequence[str]:
    if not words or "all" in words:
        return spec.difficulties
    if not spec.by_difficulty:
        raise SpecError.expected(
            f"--difficulty {words[0]}",
            f"none with the set {spec.full_name}, which mixes all",
            words[0],
            "Leave it out",
        )
    return list(dict.fromkeys(words))


def _request(
    spec: SetSpec, difficulty: str, seed: int, pairs: int, source: CocoSource
) -> dict[str, object]:
    return {
        "spec": spec.full_name,
        "spec_version": spec.version,
        "spec_sha256": spec.sha256,
        "difficulty": difficulty,
        "seed": seed,
        "pairs": pairs,
        "source": source.key,
        "recipe": None,
    }
