"""From what a command asks for to the sets to be made."""

from collections.abc import Callable, Sequence
from pathlib import Path

from cisdl_bench.errors import SpecError
from cisdl_bench.generate.plan import DrawnPlan
from cisdl_bench.generate.recipe import RecipePlan, read_recipe
from cisdl_bench.generate.run import Order
from cisdl_bench.records import DIFFICULTIES, pairs_of
from cisdl_bench.sources.coco import CocoSource
from cisdl_bench.specs import HARD, SetSpec, difficulty_of, load_spec, spec_names

SourceOf = Callable[[str], CocoSource]


def drawn_orders(
    names: Sequence[str],
    difficulties: Sequence[str],
    source_of: SourceOf,
    *,
    seed: int,
    pairs: int | None,
) -> list[Order]:
    """Return the sets that names and difficulties mean.

    Args:
        names: Names or files of specs, or of their sets, such as ``rotation-hard``; ``all`` means
            the paper's seven test sets.
        difficulties: Of ``difficult``, ``hard``, ``normal``, ``easy``, ``all``; none means all.
        source_of: Gives the source of a split.
        seed: The run's seed.
        pairs: Pairs of each set instead of the spec's number, over as many passes as it takes.

    Raises:
        SpecError: A name or difficulty is unknown, or does not go with the set.
    """
    test_sets = [name for name in spec_names() if "/" not in name and name != "training"]
    wanted = [each for name in names for each in (test_sets if name == "all" else [name])]
    words = [difficulty_of(word) for word in difficulties]
    orders: dict[str, Order] = {}
    for name, own in dict.fromkeys(map(_named, wanted)):
        spec = load_spec(name)
        source = source_of(spec.split)
        for difficulty in _difficulties(spec, [own] if own else words):
            plan = DrawnPlan(spec, difficulty, seed, source, unbounded=pairs is not None)
            order = Order(
                plan,
                spec.folder(difficulty),
                pairs or spec.pairs,
                _request(spec, difficulty, seed, pairs or spec.pairs, source),
            )
            if order.folder in orders and orders[order.folder].request != order.request:
                raise SpecError.expected(
                    f"--set {spec.full_name}", "sets of different names", "two of one", "Rename one"
                )
            orders[order.folder] = order
    return list(orders.values())


def recipe_order(path: Path, source_of: SourceOf) -> tuple[Order, str]:
    """Return the set that a recipe builds again, and the fingerprint it must have.

    Raises:
        SourceError: The recipe cannot be used.
    """
    recipe = read_recipe(path)
    spec, difficulty = recipe.spec, str(recipe.head["difficulty"])
    source = source_of(spec.split)
    plan = RecipePlan(spec, recipe, source)
    pairs = pairs_of(plan.total, spec.kinds)
    request = _request(spec, difficulty, int(recipe.head["seed"]), pairs, source)
    folder = spec.folder(difficulty)
    return Order(plan, folder, pairs, {**request, "recipe": recipe.sha256}), str(
        recipe.head["fingerprint"]
    )


def _named(name: str) -> tuple[str, str]:
    """Return the spec of a name and the difficulty that the name says; empty where it says none.

    >>> _named("rotation-hard"), _named("release-raw-easy"), _named("scale")
    (('rotation', 'difficult'), ('release/raw', 'easy'), ('scale', ''))
    """
    stem, _, word = name.rpartition("-")
    known = {each.replace("/", "-"): each for each in spec_names()}
    spec = known.get(stem.replace("/", "-"))
    if spec and word in (*DIFFICULTIES, *HARD):
        return spec, difficulty_of(word)
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
