"""What a user chooses for scoring: what decides a result, and where it is computed."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from joblib import cpu_count

from cisdl_bench.devices import choose_device, device_name, float32_rule
from cisdl_bench.progress import Progress

#: Rises whenever the same masks would give other rows.
ROWS_VERSION = 5
#: Keys of a request that stand in it only where they are not the default.
OPTIONAL = ("own_score", "zones", "convention")
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class ScoreOptions:
    """What a user chooses beside the detector and the data.

    Attributes:
        threshold: Probability above which a pixel is called tampered.
        precision: Precision of networks, one of ``PRECISIONS``.
        window: Side of sliding windows in px; None matches whole pictures.
        stride: Distance of neighbouring windows in px; None is the window.
        device: Torch device, such as ``cpu`` or ``cuda:0``.
        batch_size: Number of pairs in a batch; it changes no row on the CPU.
        workers: Number of processes that read, or that run a method without a network.
        compile: Whether networks are compiled.
        save_masks: Whether masks are written as pictures.
        perturb_donor: Whether the donor is perturbed as the probe is.
        own_score: Whether a detector's own probability is asked for, where it has one.
        zones: Sides in px of the boxes of NIST's no-score zones, for system outputs; 0 is none.
        convention: Name of a data set's own way of counting, of ``conventions.CONVENTIONS``; empty
            counts masks as they are, on the canvas.
    """

    threshold: float = 0.5
    precision: str = "fp32"
    window: int | None = None
    stride: int | None = None
    device: str = "cpu"
    batch_size: int = 8
    workers: int = 0
    compile: bool = False
    save_masks: bool = False
    perturb_donor: bool = False
    own_score: bool = True
    zones: tuple[int, int] = (0, 0)
    convention: str = ""

    def request(self) -> dict[str, Any]:
        """Return the part that decides rows."""
        return {
            "rows_version": ROWS_VERSION,
            "threshold": self.threshold,
            "precision": self.precision,
            "window": self.window,
            "stride": (self.stride or self.window) if self.window else None,
            **({} if self.own_score else {"own_score": False}),
            **({"zones": list(self.zones)} if any(self.zones) else {}),
            **({"convention": self.convention} if self.convention else {}),
        }


@contextlib.contextmanager
def inference(options: ScoreOptions) -> Iterator[None]:
    """Compute in the chosen precision without gradients; float32 is float32, never TF32."""
    exact = options.precision == "fp32"
    kind = torch.device(options.device).type
    with (
        float32_rule(exact, benchmark=not exact),
        torch.inference_mode(),
        torch.autocast(kind, dtype=PRECISIONS[options.precision], enabled=not exact),
    ):
        yield


class Runnable(Protocol):
    """What options depend on: a detector, or predictions made elsewhere."""

    @property
    def name(self) -> str:
        """Name that results are filed under."""
        ...

    @property
    def note(self) -> str:
        """What a user must know before it is scored."""
        ...

    @property
    def needs_device(self) -> bool:
        """Whether it computes with torch on a device."""
        ...


#: Options that only a detector that computes on a device has.
_OF_DEVICE = ("precision", "window", "stride", "compile")


def make_options(
    runnable: Runnable, device: str, progress: Progress, **chosen: Any
) -> ScoreOptions:
    """Return a command's options, with this machine's defaults; say where a network computes.

    Args:
        runnable: Detector, or predictions made elsewhere.
        device: Device that the user asked for, such as ``auto`` or ``cuda``.
        progress: Receives the device, and the detector's note.
        chosen: Fields of ``ScoreOptions`` that the user chose; None takes the default.
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    if not runnable.needs_device:
        given = {name: value for name, value in given.items() if name not in _OF_DEVICE}
        return ScoreOptions(**{"workers": cpu_count(), **given})
    place = choose_device(device)
    batch_size = 64 if place.startswith("cuda") else ScoreOptions.batch_size
    options = ScoreOptions(**{"batch_size": batch_size, **given, "device": place})
    progress.say(f"{runnable.name} on {device_name(place)}, {options.precision}")
    if runnable.note:
        progress.say(f"note: {runnable.note}")
    return options
