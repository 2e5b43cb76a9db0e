"""One set on its way: what is planned, what its shards hold, and how it ends."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from cisdl_bench.errors import StoreError
from cisdl_bench.generation.jobs import SetJob
from cisdl_bench.generation.refusals import no_candidates, no_pairs, reasons_in_words
from cisdl_bench.generation.shards import CompositeShard
from cisdl_bench.progress import Progress
from cisdl_bench.records import DIFFICULTIES, count_pairs
from cisdl_bench.sources.picture import PictureError
from cisdl_bench.store.folder import DataFolder
from cisdl_bench.store.pictures import PictureFolder
from cisdl_bench.store.sets import Manifest, SetFolder
from cisdl_bench.versions import read_versions

_MARGIN = 1.1  # candidates asked for beyond what the rate so far needs
_VERSIONS = ("cisdl-bench", "numpy", "opencv-python-headless", "pillow", "pycocotools", "h5py")


@dataclass
class SetRun:
    """A set that is being made.

    Attributes:
        job: Set that is to be made.
        folder: Folder that shards are written to.
        manifest: Manifest as it was last saved.
        pictures: Picture store that the set is built on.
        planned: Number of candidates planned so far.
        entries: Finished shards by their first candidate.
    """

    job: SetJob
    folder: SetFolder
    manifest: Manifest
    pictures: PictureFolder
    planned: int = 0
    entries: dict[int, Manifest] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether the set was finished by an earlier run."""
        return bool(self.manifest["complete"])

    def lacks_pictures(self) -> bool:
        """Plan a finished set's candidates; return whether the store lost one of their pictures."""
        self.planned = max(entry["candidates"][1] for entry in self.entries.values())
        plan = self.job.plan
        needed = plan.source.index.picture_id[plan.pictures(0, self.planned)]
        lacking = [key for entry in self.entries.values() for key in entry["lacking"]]
        reader = self.pictures.reader(self.pictures.version())
        return not np.isin(needed, np.concatenate([reader.ids, lacking])).all()

    def accepted(self) -> int:
        """Return how many composites the finished rounds gave."""
        return sum(e["rows"] for e in self.entries.values() if e["candidates"][1] <= self.planned)

    def missing_shards(self) -> list[CompositeShard]:
        """Return the shards planned so far that do not exist yet."""
        block, total, version_now = self.job.block, self.job.plan.total, self.pictures.version()
        starts = [start for start in range(0, self.planned, block) if start not in self.entries]
        return [
            CompositeShard(
                self.job.plan,
                self.folder,
                self.pictures,
                version_now,
                f"shard-{start // block:05d}.h5",
                start,
                min(start + block, total),
            )
            for start in starts
        ]

    def extend(self) -> bool:
        """Plan as many more candidates as the wanted composites will need; False: none are left.

        Only finished rounds decide, so an interrupted run plans as an undisturbed one does.
        """
        job, total, got = self.job, self.job.plan.total, self.accepted()
        lacking = job.composites - got
        if lacking <= 0 or self.planned >= total:
            return False
        if self.planned and not got:
            return False  # not one of a whole round: more would not help
        rate = got / self.planned if self.planned else 1.0
        more = int(lacking / rate * _MARGIN) + 1
        blocks = -(-(self.planned + more) // job.block)
        self.planned = min(blocks * job.block, -(-total // job.block) * job.block)
        return True

    def add(self, shard: CompositeShard, entry: Manifest) -> None:
        """Note a finished shard, on the disk and in the manifest."""
        self.folder.settle(entry)
        self.entries[shard.start] = entry
        shards = [self.entries[start] for start in sorted(self.entries)]
        self.manifest = {**self.manifest, "shards": shards}
        self.folder.save(self.manifest)

    def pairs_made(self) -> int:
        """Return the pairs made so far, no more than are wanted."""
        made = sum(entry["rows"] for entry in self.entries.values())
        return count_pairs(min(made, self.job.composites), self.job.spec.kinds)

    def finish(self, progress: Progress) -> Manifest:
        """Cut the set to the wanted number, write and return its final manifest.

        Raises:
            SourceError: Not one candidate came to anything.
        """
        job, spec, source = self.job, self.job.spec, self.job.plan.source
        kept = self._kept()
        composites = sum(entry["rows"] for entry in kept)
        reasons = self.pictures.manifest()["unusable"]
        without = sorted({key for entry in kept for key in entry["lacking"]})
        unusable = {key: str(reasons.get(str(key), "cannot be used")) for key in without}
        skipped = [*source.index.skipped, *(("picture", key, why) for key, why in unusable.items())]
        refused, classes = Counter[str](), Counter[str]()
        for entry in kept:
            refused.update(entry["refused"])
            classes.update(entry["difficulty"])
        if not composites:
            raise no_pairs(self.folder.final, source, unusable, refused)
        if composites < job.composites:
            reasons_given = reasons_in_words(Counter(unusable.values()) + refused)
            progress.say(
                f"{self.folder.final}: {count_pairs(composites, spec.kinds)} of {job.pairs} pairs: "
                f"the source gives no more ({reasons_given})"
            )
        manifest = {
            **self.manifest,
            "name": spec.full_name,
            "notes": [*source.notes, *filter(None, [job.note])],
            "spec": spec.as_dict(),
            "parameters": list(spec.parameters),
            "source": source.as_dict(),
            "pictures": f"../pictures/{job.picture_store[0]}",
            "versions": read_versions(_VERSIONS),
            "counts": {
                "pairs": count_pairs(composites, spec.kinds),
                "composites": composites,
                "kinds": dict.fromkeys(spec.kinds, composites),
                "difficulties": {name: classes[name] for name in DIFFICULTIES if classes[name]},
                "candidates": sum(e["candidates"][1] - e["candidates"][0] for e in kept),
                "refused": dict(sorted(refused.items())),
                "unusable_pictures": dict(sorted(Counter(unusable.values()).items())),
            },
            "shards": kept,
        }
        final = self.folder.finish(manifest, spec.kinds, spec.size, skipped)
        if repeated := final["counts"]["repeated"]:
            progress.say(
                f"note: {self.folder.final}: {repeated:,} of {composites:,} composites repeat an "
                f"earlier one: {source.name} is too small for so many"
            )
        return final

    def _kept(self) -> list[Manifest]:
        """Return the entries of the wanted composites; the last shard is cut where it has more."""
        job, kept, lacking = self.job, list[Manifest](), self.job.composites
        for start in sorted(self.entries):
            entry = self.entries[start]
            if not lacking:
                break
            if entry["rows"] > lacking:
                stop, version_now = entry["candidates"][1], self.pictures.version()
                shard = CompositeShard(
                    job.plan,
                    self.folder,
                    self.pictures,
                    version_now,
                    entry["name"],
                    start,
                    stop,
                    lacking,
                )
                entry = shard.make()
                self.folder.settle(entry)
            kept.append(entry)
            lacking -= entry["rows"]
        return kept


def begin_set(job: SetJob, data: DataFolder, overwrite: bool, progress: Progress) -> SetRun:
    """Return a set as an earlier run of the same request left it, or a fresh one.

    Raises:
        SourceError: The set has no candidates.
        StoreError: The folder holds another set, or a finished one that could be more now.
    """
    if not job.plan.total:
        raise no_candidates(job.folder, job.plan.source)
    folder, manifest = data.set(job.folder).begin(job.request, overwrite=overwrite)
    for name in manifest.pop("damaged", []):
        progress.say(f"{folder.final / name}: damaged or missing, made again")
    run = SetRun(job, folder, manifest, data.pictures(*job.picture_store))
    _retry_pictures(run)
    shards = run.manifest["shards"]
    if job.note:
        progress.say(f"note: {job.note}")
    if run.complete:
        progress.say(f"{folder.path}: already finished; nothing to do")
    elif shards:
        progress.say(f"{folder.final}: resumed after {len(shards)} finished shards")
    run.entries = {entry["candidates"][0]: entry for entry in shards}
    return run


def _retry_pictures(run: SetRun) -> None:
    """Ask again for pictures that could not be used: they may have been put right since.

    Raises:
        StoreError: The set is finished, and would be another one with them.
    """
    entries = run.manifest["shards"]
    remembered = {int(key) for key in run.pictures.manifest()["unusable"]}
    lacking = remembered.union(*(entry["lacking"] for entry in entries))
    usable = {key for key in lacking if _is_usable(run.job, key)}
    run.pictures.retry(sorted(usable))
    stale = [entry for entry in entries if usable.intersection(entry["lacking"])]
    if stale and run.complete:
        example = min(usable.intersection(stale[0]["lacking"]))
        raise StoreError(
            f"{run.folder.final}: made without pictures that can be used now, such as picture "
            f"{example}. Use --overwrite to make it again with them."
        )
    run.manifest["shards"] = [entry for entry in entries if entry not in stale]


def _is_usable(job: SetJob, picture_id: int) -> bool:
    source = job.plan.source
    ids = source.index.picture_id
    position = int(np.searchsorted(ids, picture_id))
    if position == len(ids) or ids[position] != picture_id:
        return False
    try:
        source.load(position, job.spec.size, job.spec.resize)
    except PictureError:
        return False
    return True
