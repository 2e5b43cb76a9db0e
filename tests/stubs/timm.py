"""A stand-in for timm: four made-up networks of random weights that behave as its own do."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

_NAMES = ("pyramid", "columns", "coarse", "fixed")


def list_models() -> list[str]:
    return list(_NAMES)


def is_model(name: str) -> bool:
    return name.partition(".")[0] in _NAMES


class _Info:
    def __init__(self, channels: list[int], reductions: list[int]) -> None:
        self._channels, self._reductions = channels, reductions

    def channels(self) -> list[int]:
        return self._channels

    def reduction(self) -> list[int]:
        return self._reductions


class _Network(nn.Module):
    pretrained_cfg: ClassVar = {"mean": (0.5, 0.4, 0.3), "std": (0.25, 0.5, 0.2)}

    def __init__(self, channels: list[int], reductions: list[int]) -> None:
        super().__init__()
        self.feature_info = _Info(channels, reductions)
        before = [3, *channels[:-1]]
        self.stages = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in zip(before, channels, strict=True)
        )


class _Pyramid(_Network):
    """Strides 4, 2, 2, 2; from ``output_stride`` on none. ``last`` puts channels last."""

    def __init__(self, output_stride: int = 32, last: bool = False) -> None:
        strides = [min(output_stride, reduction) for reduction in (4, 8, 16, 32)]
        super().__init__([4, 6, 8, 10], strides)
        self.last = last

    def forward(self, x: Tensor) -> list[Tensor]:
        levels, done = [], 1
        for stage, reduction in zip(self.stages, self.feature_info.reduction(), strict=True):
            x = functional.relu(functional.max_pool2d(stage(x), reduction // done, ceil_mode=True))
            done = reduction
            levels.append(x.permute(0, 2, 3, 1) if self.last else x)
        return levels


class _Columns(_Network):
    """Patches of 16 px, twelve blocks of one resolution."""

    def __init__(self, out_indices: tuple[int, ...] = (9, 10, 11)) -> None:
        super().__init__([5] * 12, [16] * 12)
        self.feature_info = _Info([5] * len(out_indices), [16] * len(out_indices))
        self.chosen = [index % 12 for index in out_indices]
        self.sides: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> list[Tensor]:
        assert x.shape[2] % 16 == x.shape[3] % 16 == 0
        self.sides.append(tuple(x.shape[-2:]))
        x, blocks = functional.avg_pool2d(x, 16), []
        for stage in self.stages:
            x = stage(x)
            blocks.append(x)
        return [blocks[index] for index in self.chosen]


class _Fixed(_Pyramid):
    def forward(self, x: Tensor) -> list[Tensor]:
        assert x.shape[2] == 224, f"Input height ({x.shape[2]}) doesn't match model (224)."
        return super().forward(x)


def create_model(
    name: str,
    pretrained: bool = False,
    features_only: bool = False,
    pretrained_cfg_overlay: dict[str, Any] | None = None,
    **how: Any,
) -> nn.Module:
    assert features_only
    kind = name.partition(".")[0]
    if kind == "pyramid":
        network: nn.Module = _Pyramid(**how)
    elif kind == "columns":
        if not how.pop("dynamic_img_size", False):
            raise TypeError("__init__() got an unexpected keyword argument")
        network = _Columns(**how)
    elif how:
        raise TypeError(f"__init__() got an unexpected keyword argument {next(iter(how))!r}")
    else:
        network = _Pyramid(last=True) if kind == "coarse" else _Fixed()
    if pretrained:
        if not pretrained_cfg_overlay:
            raise OSError("We couldn't connect to the hub")
        network.load_state_dict(pretrained_cfg_overlay["state_dict"])
    return network


def state_of(name: str) -> dict[str, Tensor]:
    """Return weights drawn for a network, as its published file would hold them."""
    torch.manual_seed(7)
    how = {"dynamic_img_size": True} if name == "columns" else {}
    return create_model(name, features_only=True, **how).state_dict()
