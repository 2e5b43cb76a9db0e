"""What manifests must hold, key by key; other keys are kept and not looked at."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from cisdl_bench.records import DIFFICULTIES, KINDS

Count = Annotated[int, Meta(ge=0, le=2**62)]
#: A name in the manifest's own folder, never a path out of it.
ShardName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*\.h5$")]
Side = Annotated[int, Meta(ge=1, le=4096)]
Id = Annotated[int, Meta(ge=-(2**62), le=2**62)]


class Entry(TypedDict):
    """A shard: its file, and what the file must be."""

    name: ShardName
    rows: Count
    bytes: Count
    sha256: str


class CompositeEntry(Entry):
    """A shard of composites, and how they came about.

    Attributes:
        candidates: The first one, and one behind the last.
        refused: Counts of candidates that came to nothing, by reason.
        lacking: Ids of pictures that they needed and that could not be used.
        difficulty: Counts of composites by class.
    """

    candidates: tuple[Count, Count]
    refused: dict[str, Count]
    lacking: list[Id]
    difficulty: dict[str, Count]


class Pending(TypedDict):
    """Pictures that are to be stored, in the order of their shards; an empty table is none."""

    purpose: NotRequired[str]
    first: NotRequired[Annotated[int, Meta(ge=0, le=10**9)]]
    ids: NotRequired[list[Id]]


class PicturesManifest(TypedDict):
    """Of a picture store."""

    format: str
    layout: int
    size: Side
    shards: list[Entry]
    unusable: dict[Annotated[str, Meta(pattern=r"^-?\d{1,18}$")], str]
    pending: Pending


class SetManifest(TypedDict):
    """Of any set, finished or not."""

    format: str
    layout: int
    complete: bool
    request: dict[str, Any]
    shards: list[Entry]


class UnfinishedSet(SetManifest):
    """Of a set that ``generate`` has begun."""

    shards: list[CompositeEntry]  # type: ignore[misc]


class Request(TypedDict):
    """What decides a generated set."""

    spec: str
    spec_version: int
    spec_sha256: str
    difficulty: str
    seed: Count
    pairs: Count
    source: str


class Spec(TypedDict):
    """What a reader needs of a spec."""

    kinds: Annotated[list[Literal[KINDS]], Meta(min_length=1)]  # type: ignore[valid-type]
    size: Side


class _Finished(TypedDict):
    complete: bool
    fingerprint: str
    pictures: Annotated[str, Meta(pattern=r"^\.\./pictures/[^/]+$")]
    notes: list[str]


class GeneratedCounts(TypedDict):
    """Of a generated set."""

    pairs: Count
    composites: Count
    kinds: dict[str, Count]
    difficulties: dict[Literal[DIFFICULTIES], Count]  # type: ignore[valid-type]
    candidates: Count
    refused: dict[str, Count]
    unusable_pictures: dict[str, Count]


class Source(TypedDict):
    """Where a generated set's pictures are from."""

    name: str
    description: str
    version: str
    licence: str
    sha256: str
    pictures: Count
    instances: Count
    skipped: dict[str, Count]


#: A column of a parameter, such as ``rotation_deg``.
ParameterName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]


class GeneratedSet(_Finished):
    """Of a finished set that ``generate`` wrote."""

    request: Request
    parameters: Annotated[list[ParameterName], Meta(max_length=200)]
    shards: Annotated[list[CompositeEntry], Meta(min_length=1)]
    spec: Spec
    counts: GeneratedCounts
    source: Source
    versions: dict[str, str]


class ImportedCounts(TypedDict):
    """Of an imported set."""

    pairs: Count
    kinds: dict[str, Count]
    left_out: Count


class ImportedList(TypedDict):
    """What list an imported set was made from."""

    format: str
    list: str
    whole: Count


class ImportedSet(_Finished):
    """Of a finished set that ``import`` wrote."""

    holds: Literal["pairs"]
    size: Side
    shards: Annotated[list[Entry], Meta(min_length=1)]
    counts: ImportedCounts
    source: ImportedList
