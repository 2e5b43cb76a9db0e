"""Detectors: one protocol, and what meets it: methods on arrays, matchers on devices, networks."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from numbers import Real
from traceback import extract_tb
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn

from cisdl_bench.errors import CisdlError, ModelError, cause
from cisdl_bench.models.detection import Detection, PairBatch, PairMethod, Probability, View
from cisdl_bench.models.matchers.matcher import DeviceMatcher
from cisdl_bench.models.matchers.method import MatcherMethod
from cisdl_bench.models.networks.registry import check_side
from cisdl_bench.models.networks.sliding import SlidingWindows


class Detector(Protocol):
    """Anything that finds spliced regions in pairs of pictures."""

    @property
    def name(self) -> str:
        """Name that results are filed under."""
        ...

    @property
    def identity(self) -> str:
        """Text that changes whenever its answers may, such as a checkpoint's SHA-256."""
        ...

    @property
    def about(self) -> dict[str, Any]:
        """Architecture and training record, for the result."""
        ...

    @property
    def note(self) -> str:
        """What a user must know before it is scored; empty where there is nothing."""
        ...

    @property
    def needs_device(self) -> bool:
        """Whether it computes with torch on a device, batch by batch; else in CPU processes."""
        ...

    @property
    def sees_truth(self) -> bool:
        """Whether it is given the true masks, as the oracle is."""
        ...

    @property
    def has_detection_network(self) -> bool:
        """Whether it has DMAC's detection network, Det, beside the network that finds masks."""
        ...

    def check_side(self, side: int, where: object) -> None:
        """Refuse pictures of a side in px that it cannot take.

        Raises:
            ModelError: It cannot take them.
        """
        ...

    def prepare(
        self,
        device: str,
        *,
        window: int | None = None,
        stride: int | None = None,
        own_score: bool = True,
        compiled: bool = False,
    ) -> Self:
        """Return it ready to detect.

        Args:
            device: Torch device that it computes on, such as ``cuda:0``.
            window: Side of sliding windows in px; None matches whole pictures.
            stride: Distance of windows in px; None is the window.
            own_score: Whether its own probability is asked for, where it has one.
            compiled: Whether a network is compiled.
        """
        ...

    def detect(self, batch: PairBatch) -> Detection[Tensor]:
        """Return the masks of a batch of pairs."""
        ...


@dataclass(frozen=True)
class PairDetector:
    """A method on numpy arrays as a detector.

    Attributes:
        method: The method, which looks at one pair at a time.
    """

    method: PairMethod
    note = ""
    needs_device = False
    has_detection_network = False

    @property
    def name(self) -> str:
        """Name of the method."""
        return self.method.name

    @property
    def identity(self) -> str:
        """Identity of the method."""
        return self.method.identity

    @property
    def about(self) -> dict[str, Any]:
        """Nothing: a method's parameters are part of its identity."""
        return {}

    @property
    def sees_truth(self) -> bool:
        """Whether the method is given the true masks."""
        return self.method.sees_truth

    def check_side(self, side: int, where: object) -> None:
        """Take pictures of any side."""

    def prepare(self, device: str, **options: Any) -> Self:
        """Return itself: there is nothing to place or to compile."""
        return self

    def detect(self, batch: PairBatch) -> Detection[Tensor]:
        """Return the masks of a batch of pairs, which must have names.

        Raises:
            ModelError: The method fails, or returns no masks of the pictures' sizes.
        """
        answers = [self._answer(view) for view in batch.views()]
        probe = _stack([answer.probe for answer in answers])
        donor = _stack([answer.donor for answer in answers])
        scores = [answer.score for answer in answers if answer.score is not None]
        if not scores:
            return Detection(probe, donor)
        return Detection(probe, donor, torch.tensor(scores, dtype=torch.float64))

    def _answer(self, view: View) -> Detection[Probability]:
        try:
            answer = self.method.detect_pair(view)
        except (CisdlError, MemoryError):
            raise
        except Exception as error:
            place = extract_tb(error.__traceback__)[:2][-1]  # below this function, if it got there
            got = f"{type(error).__name__}: {cause(error)}"
            then = f"Correct it at {place.filename}, line {place.lineno}"
            raise self._wrong(view, "a Detection", got, then) from error
        if not isinstance(answer, Detection):
            raise self._wrong(view, "a Detection", type(answer).__name__)
        masks = []
        for given, picture in ((answer.probe, view.probe), (answer.donor, view.donor)):
            what = f"an array of numbers, {picture.shape[:2]}, as a mask"
            if not isinstance(given, np.ndarray):
                raise self._wrong(view, what, type(given).__name__)
            if given.shape != picture.shape[:2] or given.dtype.kind not in "fiub":
                raise self._wrong(view, what, f"{given.dtype} {given.shape}")
            masks.append(given.astype(np.float32, copy=False))
        score = answer.score
        if not isinstance(score, Real | None):
            raise self._wrong(view, "a number or None as the score", type(score).__name__)
        return Detection(masks[0], masks[1], None if score is None else float(score))

    def _wrong(self, view: View, what: str, got: object, then: str = "") -> ModelError:
        then = then or f"Correct the method {self.name}"
        return ModelError.expected(f"{self.name}: pair {view.name}", what, got, then)


@dataclass(frozen=True)
class DeviceMatcherDetector:
    """A matcher that computes with torch as a detector.

    Attributes:
        method: Method whose matcher can be moved to a device.
        name: Name that results are filed under.
    """

    method: MatcherMethod
    name: str
    note = ""
    needs_device = True
    sees_truth = False
    has_detection_network = False

    @property
    def identity(self) -> str:
        """Identity of the method."""
        return self.method.identity

    @property
    def about(self) -> dict[str, Any]:
        """Nothing: parameters and weights are part of the method's identity."""
        return {}

    def check_side(self, side: int, where: object) -> None:
        """Take pictures of any side."""

    def prepare(
        self,
        device: str,
        *,
        window: int | None = None,
        compiled: bool = False,
        **options: Any,
    ) -> Self:
        """Return the detector with its matcher on the device; see ``Detector.prepare``.

        Raises:
            ModelError: Windows or compilation are asked for.
        """
        for flag, asked in (("--window", window), ("--compile", compiled)):
            if asked:
                raise ModelError(f"{flag} is for networks, and {self.name} is none. Leave it out.")
        matcher: DeviceMatcher = self.method.matcher  # type: ignore[assignment]
        return replace(self, method=replace(self.method, matcher=matcher.to(device)))

    def detect(self, batch: PairBatch) -> Detection[Tensor]:
        """Return the masks of a batch of pairs, on its device."""
        names = batch.names or ("pair",) * len(batch.probe)
        views = batch.to("cpu")._replace(names=names)
        answer = PairDetector(self.method).detect(views)
        probe, donor = (masks.to(batch.probe.device) for masks in (answer.probe, answer.donor))
        return Detection(probe, donor)


def _stack(masks: list[Probability]) -> Tensor:
    """Return masks as one tensor, (N, H, W); a mask alone is not copied."""
    if len(masks) == 1:
        return torch.from_numpy(np.require(masks[0], requirements="W"))[None]
    return torch.from_numpy(np.stack(masks))


@dataclass(frozen=True)
class NetworkDetector:
    """A network as a detector.

    Attributes:
        name: Name that results are filed under: the file's stem, or the factory's name.
        identity: SHA-256 of the checkpoint, or of a program's sources and tensors.
        network: Network in evaluation mode, with ``detect(probe, donor)``.
        about: Architecture and training record, for the result.
        note: What a user must know before it is scored; empty where there is nothing.
        call: Compiled ``network.detect``; None calls it as it is.
    """

    name: str
    identity: str
    network: nn.Module
    about: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    call: Callable[[Tensor, Tensor], Detection[Tensor]] | None = None
    needs_device = True
    sees_truth = False

    @property
    def has_detection_network(self) -> bool:
        """Whether the network has a part ``detection``."""
        return hasattr(self.network, "detection")

    def check_side(self, side: int, where: object) -> None:
        """Refuse pictures of a side in px that the network cannot take."""
        check_side(self.network, side, where)

    def prepare(
        self,
        device: str,
        *,
        window: int | None = None,
        stride: int | None = None,
        own_score: bool = True,
        compiled: bool = False,
    ) -> Self:
        """Return the detector with its network on the device; see ``Detector.prepare``."""
        network: Any = self.network
        if not own_score:
            network = getattr(network, "dmac", network)
        network = network.to(device).to(memory_format=torch.channels_last)
        if window:
            network = SlidingWindows(network, window, stride or window)
        call = torch.compile(network.detect) if compiled else None
        return replace(self, network=network, call=call)

    def detect(self, batch: PairBatch) -> Detection[Tensor]:
        """Return the masks of a batch of pairs."""
        call: Any = self.call or self.network.detect
        detection: Detection[Tensor] = call(batch.probe, batch.donor)
        return detection


@dataclass(frozen=True)
class _NamedMethod:
    """A method under another name."""

    method: PairMethod
    name: str

    @property
    def identity(self) -> str:
        return self.method.identity

    @property
    def sees_truth(self) -> bool:
        return self.method.sees_truth

    def detect_pair(self, view: View) -> Detection[Probability]:
        return self.method.detect_pair(view)


def check_name(name: str) -> str:
    """Return a name that results can be filed under.

    Raises:
        ModelError: It is no name of a folder.
    """
    if re.fullmatch(r"[^/\\\0.\s][^/\\\0\n]{0,99}", name) is None:
        what = "a folder's name: no slash, no dot or space at its beginning"
        raise ModelError.expected("--name", what, repr(name), "Choose another")
    return name


def rename_detector(detector: Detector, name: str) -> Detector:
    """Return a detector whose results are filed under another name.

    Raises:
        ModelError: It is no name of a folder.
    """
    check_name(name)
    if isinstance(detector, PairDetector):
        return PairDetector(_NamedMethod(detector.method, name))
    assert isinstance(detector, NetworkDetector | DeviceMatcherDetector)
    return replace(detector, name=name)
