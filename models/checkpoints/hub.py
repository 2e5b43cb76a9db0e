"""Checkpoints on the Hugging Face hub: ``hf:owner/name[@revision][:file]``.

Everything goes through `huggingface_hub`, to its cache and with its token; what was downloaded
once is found again without a network. No file of a repository is ever run.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cisdl_bench import __version__
from cisdl_bench.errors import ModelError, cause

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PREFIX = "hf:"
_ENDINGS = (".safetensors", ".pt")
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_NAME = re.compile(rf"({_PART}/{_PART})(?:@([A-Za-z0-9._/-]+))?(?::([^:\\]+))?")


class HubCheckpoint(NamedTuple):
    """A checkpoint in the cache of `huggingface_hub`.

    Attributes:
        path: File in the cache.
        name: Name that results are filed under, such as ``owner.name``.
        origin: Repository, revision (the hash of a commit) and file, for the result.
    """

    path: Path
    name: str
    origin: dict[str, str]


def open_hub(text: str) -> "HfApi":
    """Return a client of the hub, at ``HF_ENDPOINT`` where that is set.

    Args:
        text: Name as the user typed it, for an error.

    Raises:
        ModelError: The package is not installed.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise ModelError(
            f"{text}: the package huggingface_hub is not installed. Run pip install "
            "'cisdl-bench[hub]'."
        ) from error
    endpoint = os.environ.get("HF_ENDPOINT")
    return HfApi(endpoint=endpoint, library_name="cisdl-bench", library_version=__version__)


def fetch_checkpoint(text: str) -> HubCheckpoint:
    """Return the checkpoint of a repository, downloaded unless it is in the cache.

    Args:
        text: Name of the repository, with ``hf:`` before it; a revision and a file may follow.

    Raises:
        ModelError: There is no such repository, revision or file, it cannot be downloaded whole,
            or several files may be meant.
    """
    match = _NAME.fullmatch(text.removeprefix(PREFIX))
    if match is None or ".." in text:
        example = "hf:owner/name@main:model.safetensors"
        raise ModelError.expected(text, "hf:owner/name", "another form", f"Write it as {example}")
    repository, revision, file = match.groups()
    hub = open_hub(text)
    from huggingface_hub.errors import HfHubHTTPError

    try:
        info = hub.model_info(repository, revision=revision)
        names = [sibling.rfilename for sibling in info.siblings or []]
    except HfHubHTTPError as error:
        raise _refused(text, error) from error
    except Exception as unreachable:  # offline, by the variable or by the network
        names = _list_cached(repository, revision)
        if not names:
            raise ModelError(
                f"{text}: the hub cannot be reached ({cause(unreachable)}), and the cache has no "
                "copy. Go online and run the same command."
            ) from unreachable
    file = _choose_file(names, file, text)
    try:
        path = Path(hub.hf_hub_download(repository, file, revision=revision))
    except Exception as error:  # of the network, the disk or a body that ends early
        raise _refused(text, error) from error
    commit = path.parents[len(Path(file).parts) - 1].name
    name = repository.replace("/", ".")
    if match[3]:
        name += f".{Path(file).stem}"
    return HubCheckpoint(path, name, {"repository": repository, "revision": commit, "file": file})


def _list_cached(repository: str, revision: str | None) -> list[str]:
    """Return the files of a repository that the cache has at a revision."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="model")
    mark = folder / "refs" / (revision or "main")
    commit = mark.read_text("utf-8").strip() if mark.is_file() else str(revision)
    snapshot = folder / "snapshots" / commit
    return [str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if path.is_file()]


def _choose_file(names: list[str], file: str | None, text: str) -> str:
    usable = sorted(name for name in names if name.endswith(_ENDINGS))
    if file is not None and file in usable:
        return file
    if file is None and len(usable) == 1:
        return usable[0]
    kinds, shown = " or ".join(_ENDINGS), ", ".join(usable[:5]) or "none"
    what = f"one file that ends in {kinds}" if file is None else f"the file {file}, {kinds}"
    then = f"Name one, such as {text.partition(':')[0]}:owner/name:{usable[0]}" if usable else ""
    raise ModelError.expected(text, what, shown, then or "Name another repository")


def _refused(text: str, error: Exception) -> ModelError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403, 404):
        then = "Check the name; for a private one run `hf auth login`"
        return ModelError.expected(text, "a repository, revision or file on the hub", status, then)
    return ModelError(f"{text}: the hub's file cannot be had ({cause(error)}). Try it again later.")


def check_push(repository: str) -> None:
    """Refuse to train for a repository that cannot be pushed to in the end.

    Raises:
        ModelError: The name is none, the package is not installed, or there is no token.
    """
    text = f"--push-to-hub {repository}"
    if re.fullmatch(f"{_PART}/{_PART}", repository) is None:
        raise ModelError.expected(text, "owner/name", repr(repository), "Correct it")
    open_hub(text)
    from huggingface_hub import get_token

    if get_token() is None:
        raise ModelError(f"{text}: nobody is logged in. Run `hf auth login`, or set HF_TOKEN.")


def push_files(repository: str, files: Mapping[str, bytes | Path], message: str) -> str:
    """Put files into a repository of the hub, in one commit; return the commit's address.

    Args:
        repository: Name of the repository, ``owner/name``; made where there is none.
        files: Contents or paths by their names in the repository.
        message: Title of the commit.

    Raises:
        ModelError: The hub refuses them or cannot be reached; nothing is changed there.
    """
    text = f"--push-to-hub {repository}"
    hub = open_hub(text)
    from huggingface_hub import CommitOperationAdd

    operations: list[Any] = [CommitOperationAdd(name, content) for name, content in files.items()]
    try:
        hub.create_repo(repository, exist_ok=True)
        return str(hub.create_commit(repository, operations, commit_message=message).commit_url)
    except Exception as error:  # of the network or of the hub
        raise ModelError(
            f"{text}: the hub did not take it ({cause(error)}). The run is kept: the same command "
            "pushes it again."
        ) from error
