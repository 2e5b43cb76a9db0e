"""What a user chooses for a training run, beside the experiment and the data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainOptions:
    """What a user chooses beside the experiment and the data.

    Attributes:
        seed: Seed of initial weights, order of pairs and dropout.
        device: Torch device, such as ``cpu`` or ``cuda:0``.
        precision: Precision of forward passes, ``fp32`` or ``bf16`` (autocast).
        pieces: Number of pieces in which each process goes through its part of a batch.
        compile: Whether networks are compiled.
        workers: Number of reading processes; 0: one thread reads ahead.
        log_every: Number of steps from one line of ``history.csv`` to the next.
        save_every: Number of steps from one saved state to the next.
        evaluate_every: Number of steps from one evaluation to the next.
        max_minutes: Minutes after which this invocation saves and stops.
        log_to: Names of loggers beside ``history.csv``, out of ``loggers.LOGGERS``.
        skip_unlabelled: Leave out pairs without a label or a true mask; else they are refused.
    """

    seed: int = 0
    device: str = "cpu"
    precision: str = "fp32"
    pieces: int = 1
    compile: bool = False
    workers: int = 0
    log_every: int = 20
    save_every: int = 1000
    evaluate_every: int = 1000
    max_minutes: float | None = None
    log_to: tuple[str, ...] = ()
    skip_unlabelled: bool = False
