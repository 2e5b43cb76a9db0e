"""Checkpoints from the Hugging Face hub and to it, against a server on the loopback address."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hub import COMMIT, Hub, serve_hub
from huggingface_hub import constants
from huggingface_hub.hf_api import ModelInfo

from cisdl_bench.errors import ModelError
from cisdl_bench.hashing import hash_file
from cisdl_bench.models.checkpoints.checkpoint import save_checkpoint
from cisdl_bench.models.checkpoints.hub import check_push
from cisdl_bench.models.find import find_detector
from cisdl_bench.models.networks.registry import build

NAME = "hf:someone/dmac-small"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "model.safetensors"
    save_checkpoint(path, build("dmac", "here", {"width": 0.125}), {"finished": True})
    return path


@pytest.fixture
def hub(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub with a repository of one checkpoint, and an empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    with serve_hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        content = {"model.safetensors": checkpoint.read_bytes(), "README.md": b"# A card\n"}
        server.files["someone/dmac-small"] = content
        yield server


def test_a_checkpoint_is_found_by_its_name_at_a_revision(hub: Hub, checkpoint: Path) -> None:
    detector = find_detector(NAME)
    assert detector.name == "someone.dmac-small"
    assert detector.identity == hash_file(checkpoint)
    origin = {"repository": "someone/dmac-small", "revision": COMMIT, "file": "model.safetensors"}
    assert detector.about["hub"] == origin
    assert not [line for line in hub.asked if line.endswith("README.md")]


def test_what_was_downloaded_is_found_again_without_a_network(hub: Hub, monkeypatch) -> None:
    first = find_detector(NAME)
    hub.files.clear()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens
    again = find_detector(NAME)
    assert (again.identity, again.about["hub"]) == (first.identity, first.about["hub"])
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find_detector(NAME).identity == first.identity
    with pytest.raises(ModelError, match=r"^hf:someone/other: .* Go online"):
        find_detector("hf:someone/other")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hf:someone/nothing", "a repository, revision or file on the hub, got 404. Check"),
        (f"{NAME}@v2", "a repository, revision or file on the hub, got 404. Check"),
        (f"{NAME}:other.pt", "the file other.pt, .* got model.safetensors. Name one"),
        ("hf:someone", "expected hf:owner/name, got another form"),
        ("hf:../../etc", "expected hf:owner/name, got another form"),
        ("hf:someone/dmac@../../x", "expected hf:owner/name, got another form"),
    ],
)
def test_what_is_not_there_is_one_line(hub: Hub, text: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        find_detector(text)
    assert "\n" not in str(caught.value)


def test_of_several_files_one_must_be_named(hub: Hub) -> None:
    files = hub.files["someone/dmac-small"]
    files["best.safetensors"] = files["model.safetensors"]
    with pytest.raises(ModelError, match="got best.safetensors, model.safetensors. Name one"):
        find_detector(NAME)
    detector = find_detector(f"{NAME}@main:best.safetensors")
    assert detector.name == "someone.dmac-small.best"


def test_a_file_that_ends_early_is_refused_and_not_kept(hub: Hub, monkeypatch) -> None:
    hub.truncated = True
    monkeypatch.setattr(
        "huggingface_hub.HfApi.model_info",
        lambda *_, **__: ModelInfo(
            id="someone/dmac-small", sha=COMMIT, siblings=[{"rfilename": "model.safetensors"}]
        ),
    )
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(ModelError, match=f"^{NAME}: the hub's file cannot be had"):
        find_detector(NAME)
    hub.truncated = False
    assert find_detector(NAME).name == "someone.dmac-small"


def test_a_program_on_the_hub_is_never_run(hub: Hub, tmp_path: Path) -> None:
    class Network(torch.nn.Module):
        def forward(self, probe: torch.Tensor, donor: torch.Tensor) -> torch.Tensor:
            return probe - donor

    torch.jit.script(Network()).save(str(tmp_path / "program.pt"))
    hub.files["someone/program"] = {"program.pt": (tmp_path / "program.pt").read_bytes()}
    with pytest.raises(ModelError, match="program.pt: expected "):
        find_detector("hf:someone/program")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (lambda: find_detector(NAME), lambda: check_push("someone/dmac")):
        with pytest.raises(ModelError, match=r"pip install 'cisdl-bench\[hub\]'"):
            call()


def test_pushing_is_refused_before_training_where_it_cannot_end_well(hub, monkeypatch) -> None:
    with pytest.raises(ModelError, match="expected owner/name, got 'dmac'"):
        check_push("dmac")
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(ModelError, match="Run `hf auth login`"):
        check_push("someone/dmac")
