"""What decides a result, and where it is computed."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from joblib import cpu_count

from cisdl_bench.devices import float32_rule

#: Rises whenever the same masks would give other rows.
ROWS_VERSION = 3
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class ScoreOptions:
    """What a user chooses beside the detector and the data.

    Attributes:
        threshold: A pixel above it is tampered.
        precision: One of ``PRECISIONS``.
        window: Side of sliding windows in px; None matches whole pictures.
        stride: Between windows in px.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        batch_size: Pairs a batch; changes no row on the CPU.
        workers: Processes that read, or that run a detector without a network.
        compile: Whether the network is compiled.
        save_masks: Whether masks are written as pictures.
        perturb_donor: Whether the donor is perturbed as the probe is.
        own_score: Whether a detector's own probability is asked for, where it has one.
        zones: Sides in px of the boxes of NIST's no-score zones, for system outputs; 0 is none.
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


def make_options(networked: bool, device: str, options: Mapping[str, Any]) -> ScoreOptions:
    """Return the settings of a command's options, with its defaults for this machine.

    Args:
        networked: Whether a network is scored.
        device: Where.
        options: By name; None where the user said nothing.
    """
    gpu = device.startswith("cuda")
    workers = options["workers"]
    if workers is None:
        workers = 0 if networked else cpu_count()
    return ScoreOptions(
        threshold=options["threshold"],
        own_score=options["detector"] != "mask",
        precision=options["precision"] if networked else "fp32",
        window=options["window"] if networked else None,
        stride=options["stride"] if networked else None,
        device=device,
        batch_size=options["batch_size"] or (64 if gpu else 8),
        workers=workers,
        compile=options["compiled"] and networked,
        save_masks=options["save_masks"],
        perturb_donor=options["perturb_on"] == "both",
    )
