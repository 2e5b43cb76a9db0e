"""Any feature pyramid of timm, as three levels at 1/8 of the resolution."""

import logging
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cisdl_bench.errors import ModelError, cause

#: Names of timm's architectures, with the tag of their weights; never a place on a hub.
NAME = r"[a-z0-9][a-z0-9_]{0,79}(\.[a-z0-9_]{1,79})?"
_STRIDE = 8
_LEVELS = 3
#: Blocks of a transformer that are looked at, counted from the last: early, late, last of twelve.
_BLOCKS = (-9, -5, -1)
#: How timm's models are asked for features of any size of pictures, the first that works.
_WAYS: tuple[dict[str, Any], ...] = ({"output_stride": _STRIDE}, {"dynamic_img_size": True}, {})
_PROBE_PX = 64


class Backbone(nn.Module):
    """The three deepest levels of a network of timm, with its own normalisation of pictures.

    Convolutional networks are dilated from 1/8 on where timm can, as DMAC's are; else coarser
    levels are resized to 1/8. Transformers of one resolution see pictures enlarged so that a
    patch covers 8 px; their levels are three of their blocks.

    Args:
        name: Name of timm's, such as ``convnext_tiny.fb_in22k``.
        weights: Tensors of the published network by its own names; ``True`` fetches them from
            timm's hub; None draws random weights.

    Attributes:
        channels: Channels of the three levels.

    Raises:
        ModelError: timm is not installed, has no such network, or the network has not three
            levels or takes pictures of one size alone.
    """

    def __init__(self, name: str, weights: dict[str, Tensor] | bool | None = None) -> None:
        super().__init__()
        self.name = name
        body = _create(name, weights)
        reductions = body.feature_info.reduction()
        self._enlarge = 1.0
        if len(set(reductions)) == 1 and reductions[0] > _STRIDE:
            body = _create(name, weights, out_indices=_BLOCKS)
            self._enlarge = reductions[0] / _STRIDE
        self.channels: list[int] = body.feature_info.channels()[-_LEVELS:]
        if len(self.channels) < _LEVELS:
            raise ModelError.expected(
                f"backbone {name}", f"{_LEVELS} levels", len(self.channels), "Choose another"
            )
        own = body.pretrained_cfg if hasattr(body, "pretrained_cfg") else body.default_cfg
        self.mean: Tensor
        self.deviation: Tensor
        for buffer, key in (("mean", "mean"), ("deviation", "std")):
            values = 255 * torch.tensor(own[key], dtype=torch.float32).reshape(3, 1, 1)
            self.register_buffer(buffer, values, persistent=False)
        self.body = body
        self._probe()

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return three levels (N, C, H/8, W/8), rounded up, of pictures.

        Args:
            pictures: Pictures, RGB, 0 to 255, uint8 or float, (N, 3, H, W).
        """
        size = [-(-side // _STRIDE) for side in pictures.shape[-2:]]
        x = (pictures.to(torch.float32) - self.mean) / self.deviation
        if self._enlarge != 1:
            side = [round(_STRIDE * self._enlarge) * n for n in size]
            x = functional.interpolate(x, side, mode="bilinear", align_corners=False)
        levels: Sequence[Tensor] = self.body(x)[-_LEVELS:]
        first, second, third = (
            _resized(level, channels, size)
            for level, channels in zip(levels, self.channels, strict=True)
        )
        return first, second, third

    def _probe(self) -> None:
        training = self.body.training
        self.body.eval()
        try:
            with torch.no_grad():
                self(torch.zeros(1, 3, _PROBE_PX, 2 * _PROBE_PX))
        except (RuntimeError, AssertionError, ValueError) as error:
            raise ModelError.expected(
                f"backbone {self.name}",
                "a network that takes pictures of any size",
                f"'{cause(error)}'",
                "Choose another",
            ) from error
        self.body.train(training)


def _resized(level: Tensor, channels: int, size: Sequence[int]) -> Tensor:
    if level.shape[1] != channels:  # some of timm's networks put channels last
        level = level.permute(0, 3, 1, 2)
    if list(level.shape[-2:]) == list(size):
        return level
    return functional.interpolate(level, list(size), mode="bilinear", align_corners=False)


def check_backbone(name: str, where: object) -> None:
    """Refuse a name that timm does not know; a name's form alone where timm is not installed.

    Args:
        name: Name of timm's.
        where: File or option that an error names.

    Raises:
        ModelError: There is no such network.
    """
    if not re.fullmatch(NAME, name):
        what = "a name of timm's, such as convnext_tiny.fb_in22k"
        raise ModelError.expected(where, what, repr(name), "`timm.list_models()` names them")
    try:
        timm = _import_timm()
    except ModelError:
        return
    if timm.is_model(name):
        return
    near = get_close_matches(name.partition(".")[0], timm.list_models(), n=1)
    then = f"Did you mean {near[0]}" if near else "`timm.list_models()` names them"
    raise ModelError.expected(where, "a network of timm's", name, then)


def _create(name: str, weights: dict[str, Tensor] | bool | None, **how: Any) -> Any:
    check_backbone(name, "backbone")
    timm = _import_timm()
    settings: dict[str, Any] = {"pretrained": bool(weights), "features_only": True, **how}
    if isinstance(weights, dict):
        settings["pretrained_cfg_overlay"] = {"state_dict": weights}
    logging.getLogger("timm").setLevel(logging.ERROR)  # it lists the layers that are left out
    for way in _WAYS:
        try:
            return timm.create_model(name, **settings, **way)
        except (TypeError, NotImplementedError, AssertionError):
            continue
        except (OSError, RuntimeError, ValueError, KeyError, IndexError) as error:
            what, then = "a network with features of each level", "Choose another"
            if weights is True:
                what, then = "its weights from timm's hub", "Give their file by --init"
            elif weights:
                what = "its published weights"
            got = f"'{cause(error)}'"
            raise ModelError.expected(f"backbone {name}", what, got, then) from error
    what = "a network with features of each level"
    raise ModelError.expected(f"backbone {name}", what, "none", "Choose another")


def _import_timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise ModelError(
            f"backbones come from timm, which cannot be imported ({cause(error)}). "
            "Run `pip install 'cisdl-bench[backbones]'`."
        ) from error
    except RuntimeError as error:  # of torchvision's compiled part
        raise ModelError(
            f"timm's torchvision does not go with this torch ({cause(error)}). Install torch and "
            "torchvision of one release and one build (CPU or CUDA), from PyTorch's own index."
        ) from error
    return timm
