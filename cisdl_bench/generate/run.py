"""A whole run: pictures first, then composites, in parallel, going on where the last one ended."""

import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import joblib
import numpy as np

from cisdl_bench.engine import workers
from cisdl_bench.errors import StoreError
from cisdl_bench.generate.nothing import counted, no_candidates, no_pairs
from cisdl_bench.generate.plan import Plan
from cisdl_bench.generate.ports import Manifest, PictureSink, SetSink, Storage
from cisdl_bench.generate.tasks import CompositeTask, PictureTask, run_task
from cisdl_bench.progress import Progress
from cisdl_bench.records import DIFFICULTIES, pairs_of
from cisdl_bench.sources.picture import PictureError

_BLOCK = 256  # donors of a 256 px canvas whose composites make one shard
_MARGIN = 1.1  # candidates asked for beyond what the rate so far needs
_VERSIONS = ("cisdl-bench", "numpy", "opencv-python-headless", "pillow", "pycocotools", "h5py")


@dataclass(frozen=True)
class Order:
    """One set to be made.

    Attributes:
        plan: Its candidates.
        folder: Its folder's name.
        pairs: How many pairs are wanted; rounded up to whole composites.
        request: What decides its content; the same request goes on with the same folder.
    """

    plan: Plan
    folder: str
    pairs: int
    request: Manifest

    @property
    def composites(self) -> int:
        """How many composites are wanted."""
        return -(-self.pairs // len(self.plan.spec.kinds))

    @property
    def block(self) -> int:
        """How many candidates one shard takes."""
        spec = self.plan.spec
        return max(16, _BLOCK * 256**2 // spec.size**2) * spec.visits

    @property
    def picture_store(self) -> tuple[str, int]:
        """The name and canvas of the picture store that it shares."""
        spec = self.plan.spec
        saved = "" if spec.jpeg_quality is None else f"-jpeg{spec.jpeg_quality}"
        return f"{self.plan.source.key}-{spec.size}-{spec.resize}{saved}", spec.size


@dataclass
class _Making:
    """A set on its way."""

    order: Order
    sink: SetSink
    manifest: Manifest
    pictures: PictureSink
    planned: int = 0
    entries: dict[int, Manifest] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return bool(self.manifest["complete"])

    def lacks_pictures(self) -> bool:
        """Plan a finished set's candidates; return whether the store lost one of their pictures."""
        self.planned = max(entry["candidates"][1] for entry in self.entries.values())
        needed = self.order.plan.source.index.picture_id[self.order.plan.pictures(0, self.planned)]
        lacking = [key for entry in self.entries.values() for key in entry["lacking"]]
        reader = self.pictures.reader(self.pictures.version())
        return not np.isin(needed, np.concatenate([reader.ids, lacking])).all()

    def accepted(self) -> int:
        return sum(e["rows"] for e in self.entries.values() if e["candidates"][1] <= self.planned)

    def blocks(self) -> list[tuple[int, int]]:
        """The candidate ranges planned so far that no shard covers yet."""
        size, total = self.order.block, self.order.plan.total
        starts = range(0, self.planned, size)
        return [(a, min(a + size, total)) for a in starts if a not in self.entries]

    def extend(self) -> bool:
        """Plan as many more candidates as the wanted composites will need; False: none are left.

        Only finished rounds decide, so an interrupted run plans as an undisturbed one does.
        """
        order, total, got = self.order, self.order.plan.total, self.accepted()
        lacking = order.composites - got
        if lacking <= 0 or self.planned >= total:
            return False
        if self.planned and not got:
            return False  # not one of a whole round: more would not help
        rate = got / self.planned if self.planned else 1.0
        more = int(lacking / rate * _MARGIN) + 1
        blocks = -(-(self.planned + more) // order.block)
        self.planned = min(blocks * order.block, -(-total // order.block) * order.block)
        return True

    def save(self) -> None:
        shards = [self.entries[start] for start in sorted(self.entries)]
        self.manifest = {**self.manifest, "shards": shards}
        self.sink.save(self.manifest)


def run(
    orders: Sequence[Order],
    storage: Storage,
    progress: Progress,
    *,
    jobs: int = 1,
    overwrite: bool = False,
) -> list[Manifest]:
    """Make sets; return their manifests in order.

    Every picture is decoded once for all sets together. The same orders give the same bytes for
    any number of jobs, and after any number of interruptions.

    Raises:
        StoreError: A folder holds something else, another run is writing, or the disk is full;
            what is finished is kept.
        SourceError: A set has no candidates, or none of them came to anything.
    """
    with storage.lock():
        for name, size in dict.fromkeys(order.picture_store for order in orders):
            store = storage.pictures(name, size)
            for damaged in store.check(thorough=overwrite):
                progress.say(f"{store.path / damaged}: damaged or missing, made again")
        making = [_begin(order, storage, overwrite, progress) for order in orders]
        open_sets = [m for m in making if not m.complete]
        purpose = joblib.hash([order.request for order in orders])
        with workers(jobs, return_as="generator_unordered", batch_size=1) as parallel:
            robbed = [m for m in making if m.complete and m.lacks_pictures()]
            if robbed:
                _store_pictures(robbed, parallel, progress, f"{purpose}-again")
            turn = 0
            while True:
                active = [m for m in open_sets if m.extend()]
                if not active:
                    break
                _store_pictures(active, parallel, progress, f"{purpose}-{turn}")
                _store_composites(active, parallel, progress)
                turn += 1
        return [m.manifest if m.complete else _finish(m, progress) for m in making]


def _begin(order: Order, storage: Storage, overwrite: bool, progress: Progress) -> _Making:
    if not order.plan.total:
        raise no_candidates(order.folder, order.plan.source)
    sink, manifest = storage.set(order.folder).begin(order.request, overwrite=overwrite)
    for name in manifest.pop("damaged", []):
        progress.say(f"{sink.final / name}: damaged or missing, made again")
    pictures = storage.pictures(*order.picture_store)
    making = _Making(order, sink, manifest, pictures)
    _look_at_lacking(making)
    if making.complete:
        progress.say(f"{sink.path}: already finished; nothing to do")
    elif making.manifest["shards"]:
        n = len(making.manifest["shards"])
        progress.say(f"{sink.final}: goes on after {n} finished shards")
    making.entries = {entry["candidates"][0]: entry for entry in making.manifest["shards"]}
    return making


def _look_at_lacking(making: _Making) -> None:
    """Ask again for pictures that could not be used: they may have been put right since.

    Raises:
        StoreError: The set is finished, and would be another one with them.
    """
    plan, entries = making.order.plan, making.manifest["shards"]
    remembered = {int(key) for key in making.pictures.manifest()["unusable"]}
    lacking = remembered.union(*(entry["lacking"] for entry in entries))
    usable = {key for key in lacking if _usable(plan, key)}
    making.pictures.retry(sorted(usable))
    stale = [entry for entry in entries if usable.intersection(entry["lacking"])]
    if stale and making.complete:
        example = min(usable.intersection(stale[0]["lacking"]))
        raise StoreError(
            f"{making.sink.final}: made without pictures that can be used now, such as picture "
            f"{example}. Use --overwrite to make it again with them."
        )
    making.manifest["shards"] = [entry for entry in entries if entry not in stale]


def _usable(plan: Plan, picture_id: int) -> bool:
    ids, spec = plan.source.index.picture_id, plan.spec
    position = int(np.searchsorted(ids, picture_id))
    if position == len(ids) or ids[position] != picture_id:
        return False
    try:
        plan.source.load(position, spec.size, spec.resize)
    except PictureError:
        return False
    return True


def _store_pictures(
    active: Sequence[_Making], parallel: Any, progress: Progress, purpose: str
) -> None:
    groups: dict[tuple[str, int], list[_Making]] = {}
    for making in active:
        groups.setdefault(making.order.picture_store, []).append(making)
    tasks = []
    for group in groups.values():
        plan, sink = group[0].order.plan, group[0].pictures
        needed = [m.order.plan.pictures(0, min(m.planned, m.order.plan.total)) for m in group]
        ids = plan.source.index.picture_id[np.concatenate(needed)]
        spec = plan.spec
        tasks += [
            PictureTask(plan.source, sink, name, block, spec.size, spec.resize, spec.jpeg_quality)
            for name, block in sink.missing(ids, purpose)
        ]
    if not tasks:
        return
    progress.start("pictures", sum(len(task.ids) for task in tasks), 0)
    for task, (entry, unusable) in _results(parallel, tasks):
        task.sink.add(entry, unusable, task.name)
        progress.advance(len(task.ids))
    progress.stop()


def _store_composites(active: Sequence[_Making], parallel: Any, progress: Progress) -> None:
    of_path = {making.sink.path: making for making in active}
    tasks = []
    for m in active:
        version = m.pictures.version()
        for start, stop in m.blocks():
            name = f"shard-{start // m.order.block:05d}.h5"
            tasks.append(
                CompositeTask(m.order.plan, m.sink, m.pictures, version, name, start, stop)
            )
    total = sum(pairs_of(m.order.composites, m.order.plan.spec.kinds) for m in active)
    done = sum(_shown(m) for m in active)
    progress.start("pairs", total, done)
    for task, entry in _results(parallel, tasks):
        making = of_path[task.sink.path]
        before = _shown(making)
        making.sink.settle(entry)
        making.entries[task.start] = entry
        making.save()
        progress.advance(_shown(making) - before)
    progress.stop()


def _shown(making: _Making) -> int:
    """Pairs made so far, no more than are wanted."""
    made = sum(entry["rows"] for entry in making.entries.values())
    return pairs_of(min(made, making.order.composites), making.order.plan.spec.kinds)


def _results(parallel: Any, tasks: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    yield from parallel(joblib.delayed(run_task)(task) for task in tasks)


def _finish(making: _Making, progress: Progress) -> Manifest:
    order, plan = making.order, making.order.plan
    spec, source = plan.spec, plan.source
    kept, lacking = [], order.composites
    for start in sorted(making.entries):
        entry = making.entries[start]
        if not lacking:
            break
        if entry["rows"] > lacking:
            task = CompositeTask(
                plan,
                making.sink,
                making.pictures,
                making.pictures.version(),
                entry["name"],
                start,
                entry["candidates"][1],
                lacking,
            )
            entry = task.run()
            making.sink.settle(entry)
        kept.append(entry)
        lacking -= entry["rows"]
    composites = order.composites - lacking
    reasons = making.pictures.manifest()["unusable"]
    without = sorted({key for entry in kept for key in entry["lacking"]})
    unusable = {key: str(reasons.get(str(key), "cannot be used")) for key in without}
    skipped = [*source.index.skipped, *(("picture", key, why) for key, why in unusable.items())]
    refused, classes = Counter[str](), Counter[str]()
    for entry in kept:
        refused.update(entry["refused"])
        classes.update(entry["difficulty"])
    if not composites:
        raise no_pairs(making.sink.final, source, unusable, refused)
    if lacking:
        progress.say(
            f"{making.sink.final}: {pairs_of(composites, spec.kinds)} of {order.pairs} pairs: the "
            f"source gives no more ({counted(Counter(unusable.values()) + refused)})"
        )
    store, _ = order.picture_store
    manifest = {
        **making.manifest,
        "name": spec.full_name,
        "notes": list(source.notes),
        "spec": spec.as_dict(),
        "source": source.as_dict(),
        "pictures": f"../pictures/{store}",
        "versions": versions(),
        "counts": {
            "pairs": pairs_of(composites, spec.kinds),
            "composites": composites,
            "kinds": dict.fromkeys(spec.kinds, composites),
            "difficulties": {name: classes[name] for name in DIFFICULTIES if classes[name]},
            "candidates": sum(entry["candidates"][1] - entry["candidates"][0] for entry in kept),
            "refused": dict(sorted(refused.items())),
            "unusable_pictures": dict(sorted(Counter(unusable.values()).items())),
        },
        "shards": kept,
    }
    final = making.sink.finish(manifest, spec.kinds, spec.size, skipped)
    if repeated := final["counts"]["repeated"]:
        progress.say(
            f"note: {making.sink.final}: {repeated:,} of {composites:,} composites repeat an "
            f"earlier one: {source.name} is too small for so many"
        )
    return final


def versions() -> dict[str, str]:
    """Return the versions that decide a set's bytes."""
    return {**{name: version(name) for name in _VERSIONS}, "python": platform.python_version()}
