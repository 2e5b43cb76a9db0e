"""A user's own network: a factory in Python, a TorchScript or a ``torch.export`` file.

The interface: called with two float32 tensors (N, 3, H, W), RGB in 0 to 1, probe and donor, it
returns two mask probabilities, each (N, h, w) or (N, 1, h, w) of any resolution, and optionally a
third tensor (N,), the probability that the two share a region.
"""

import importlib
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from cisdl_bench.errors import ModelError
from cisdl_bench.models.checkpoints.program_identity import find_imported_files
from cisdl_bench.models.detection import Detection
from cisdl_bench.models.networks.upsample import resize_masks


class ForeignNetwork(nn.Module):
    """Any callable of that interface as a network with ``detect``.

    Args:
        call: Callable of two pictures; a module moves to a device with this one.
        where: Name of the network in messages.
        program: Whether the callable is a program in a file, whose errors are told in one line.
    """

    def __init__(self, call: Callable[..., Any], where: str, *, program: bool = False) -> None:
        super().__init__()
        self.call = call
        self._program = program
        self.architecture = where

    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of both masks, (N, 2, h, w), for training; class 1 is 'tampered'.

        Class 0 has the logit 0, class 1 ln(p / (1 - p)), with p kept 1e-6 away from 0 and 1.
        """
        answer = self.call(probe.to(torch.float32) / 255, donor.to(torch.float32) / 255)
        masks = [mask.unsqueeze(1) if mask.ndim == 3 else mask for mask in answer[:2]]
        logits = [torch.logit(mask.float(), eps=1e-6) for mask in masks]
        probe_logits, donor_logits = (
            torch.cat((torch.zeros_like(tampered), tampered), dim=1) for tampered in logits
        )
        return probe_logits, donor_logits

    def detect(self, probe: Tensor, donor: Tensor) -> Detection[Tensor]:
        """Return what the callable says of uint8 pictures (N, 3, H, W).

        Raises:
            ModelError: Its answer is not two masks in 0 to 1 of these pictures.
        """
        answer = self._answer(probe.to(torch.float32) / 255, donor.to(torch.float32) / 255)
        if not isinstance(answer, (tuple, list)) or len(answer) not in (2, 3):
            got = f"{len(answer)} values" if isinstance(answer, (tuple, list)) else type(answer)
            raise self._wrong("two masks, or two masks and a score", got)
        n, size = len(probe), probe.shape[-2:]
        self._check_ranges(answer)
        masks = [self._mask(mask, n, size) for mask in answer[:2]]
        score = answer[2].reshape(-1).float() if len(answer) == 3 else None
        if score is not None and len(score) != n:
            raise self._wrong(f"{n} scores, one a pair", len(score))
        return Detection(masks[0], masks[1], score)

    def _answer(self, probe: Tensor, donor: Tensor) -> Any:
        if not self._program:
            return self.call(probe, donor)
        try:
            return self.call(probe, donor)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:  # there is no source of the user's to point at
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            message = next((line for line in lines if "Error:" in line), (lines or ["an error"])[0])
            shape = tuple(probe.shape)
            raise self._wrong(
                f"a program that takes two pictures {shape}", f"'{message}'"
            ) from error

    def _check_ranges(self, answer: Sequence[Any]) -> None:
        for value in answer:
            if not isinstance(value, Tensor):
                raise self._wrong("tensors", type(value).__name__)
            if not value.numel():
                raise self._wrong("masks with pixels", tuple(value.shape))
        ends = torch.stack([end.float() for value in answer for end in value.aminmax()]).tolist()
        low, high = min(ends), max(ends)  # one synchronisation for all of them
        if any(end != end for end in ends):
            raise self._wrong("probabilities in 0 to 1", "nan")
        if not (low >= -1e-6 and high <= 1 + 1e-6):  # float32 rounds
            raise self._wrong("probabilities in 0 to 1", f"{low:.3g} to {high:.3g}")

    def _mask(self, mask: Tensor, n: int, size: tuple[int, ...]) -> Tensor:
        mask = mask.unsqueeze(1) if mask.ndim == 3 else mask
        if mask.ndim != 4 or mask.shape[:2] != (n, 1):
            raise self._wrong(f"masks ({n}, h, w) or ({n}, 1, h, w)", tuple(mask.shape))
        return resize_masks(mask, size)

    def _wrong(self, what: str, got: object) -> ModelError:
        return ModelError.expected(self.architecture, what, got, "See docs/guide/your-network.md")


def from_factory(text: str) -> tuple[ForeignNetwork, ModuleType]:
    """Return what ``module:factory`` makes, and the module; the working folder is searched too.

    Raises:
        ModelError: There is no such module or factory, or it makes nothing callable.
    """
    module_name, _, name = text.partition(":")
    named = all(part.isidentifier() for part in module_name.split("."))
    if not named or module_name.endswith(".py"):
        then = f"Write {module_name.removesuffix('.py')}:{name}"
        raise ModelError.expected(text, "the name of a Python module", repr(module_name), then)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    with _from_source():
        try:
            module = _current(module_name)
        except (ImportError, SyntaxError) as error:
            raise ModelError.expected(
                text,
                "a module that can be imported",
                f"'{_first_line(error)}'",
                "Install it, or run from its folder",
            ) from error
        return _made(module, text, name), module


def _made(module: ModuleType, text: str, name: str) -> ForeignNetwork:
    factory = getattr(module, name, None)
    if not callable(factory):
        raise ModelError.expected(
            text,
            f"a factory {name!r} in {module.__name__}",
            "none",
            "Name a function without arguments",
        )
    made = factory()
    if not callable(made):
        raise ModelError.expected(
            text, "a network or another callable", type(made).__name__, "Return one"
        )
    if isinstance(made, nn.Module):
        made.eval()
    return ForeignNetwork(made, text)


@contextmanager
def _from_source() -> Iterator[None]:
    """Leave no compiled files: they may be taken for an edited source of the same second."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


#: Sources of modules as they were imported here, by the module and by their files.
_IMPORTED: dict[str, dict[Path, bytes]] = {}


def _current(name: str) -> ModuleType:
    """Return a module, imported again where it or a module of its folder was edited since."""
    before = _IMPORTED.get(name)
    if before and any(not p.is_file() or p.read_bytes() != b for p, b in before.items()):
        gone = {str(path) for path in before}
        for imported, module in list(sys.modules.items()):
            if getattr(module, "__file__", None) in gone:
                del sys.modules[imported]
        importlib.invalidate_caches()
    module = importlib.import_module(name)
    try:
        files = find_imported_files(module).values()
        _IMPORTED[name] = {path: path.read_bytes() for path in files}
    except OSError:  # built in, or made by a program: there is nothing to edit
        _IMPORTED.pop(name, None)
    return module


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__


def file_kind(path: Path) -> str:
    """Return 'torchscript', 'export' or 'checkpoint', by what a file holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # no archive, or a damaged one, which the checkpoint's reader will say
        return "checkpoint"
    if any("/code/" in name for name in names):
        return "torchscript"
    exported = ("/models/model.json", "serialized_exported_program.json")  # the latter of torch 2.6
    return "export" if any(name.endswith(exported) for name in names) else "checkpoint"


def from_file(path: Path, kind: str, device: torch.device) -> ForeignNetwork:
    """Return the network of a TorchScript or ``torch.export`` file.

    Such a file is a program: unlike a checkpoint it runs when it is scored.

    Raises:
        ModelError: It cannot be read.
    """
    try:
        if kind == "torchscript":
            load: Any = torch.jit.load
            call = load(str(path), map_location=device).eval()
        else:
            call = torch.export.load(path).module()
    except Exception as error:  # torch reports a damaged file by exceptions of any class
        message = f"'{_first_line(error)}'"
        raise ModelError.expected(
            path, f"a whole {kind} file", message, "Export it again"
        ) from error
    return ForeignNetwork(call, str(path), program=True)
