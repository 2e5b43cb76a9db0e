"""Putting a finished run on the Hugging Face hub: checkpoint, card, record and logs."""

from pathlib import Path
from tempfile import TemporaryDirectory

from cisdl_bench.models.checkpoints.checkpoint import load_tensors, write_checkpoint
from cisdl_bench.models.checkpoints.hub import PREFIX, push_files
from cisdl_bench.training.card import read_measured, write_card
from cisdl_bench.training.record import EVALUATION, HISTORY, RECORD


def push_run(folder: Path, checkpoint: str, repository: str) -> str:
    """Push a run to a repository of the hub; return the commit's address.

    The checkpoint goes as safetensors, the card as ``README.md``.

    Args:
        folder: Folder of the run.
        checkpoint: Name of the checkpoint in it.
        repository: Name of the repository, ``owner/name``.

    Raises:
        ModelError: The checkpoint cannot be read, or the hub does not take it.
    """
    about = load_tensors(folder / checkpoint)
    state = about.pop("state")
    with TemporaryDirectory(prefix="cisdl-bench-") as place:
        target = (Path(place) / checkpoint).with_suffix(".safetensors")
        write_checkpoint(target, about, state)
        write_card(target, about, read_measured(folder), used_as=f"{PREFIX}{repository}")
        files = {
            "README.md": target.with_suffix(".md"),
            target.name: target,
            **{name: folder / name for name in (RECORD, HISTORY, EVALUATION)},
        }
        there = {name: path for name, path in files.items() if path.exists()}
        return push_files(repository, there, f"{target.stem}, {about['training']['step']:,} steps")
