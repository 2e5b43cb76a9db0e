"""kornia's LoFTR, and DISK with LightGlue, as matchers; their weights come from kornia's hubs.

Needs the extra ``kornia``. Nothing is fetched before a matcher is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cisdl_bench.models.matchers.matcher import Points, no_matches
from cisdl_bench.models.matchers.weights import hash_tensors, import_package, load_weights
from cisdl_bench.records import Pixels

_MULTIPLE = 16  # of the sides that these networks take


@dataclass(frozen=True)
class Loftr:
    """LoFTR (Sun, Shen, Wang, Bao, Zhou, CVPR 2021): matches without key points.

    Attributes:
        network: kornia's ``LoFTR`` in evaluation mode.
        min_confidence: Smallest confidence of a match.
        device: Torch device that the network is on.
    """

    network: Any
    min_confidence: float
    device: str = "cpu"

    @property
    def identity(self) -> str:
        """Kornia's version and a hash of the weights."""
        return f"{_version()} {hash_tensors(self.network)}"

    def to(self, device: str) -> "Loftr":
        """Return the matcher on a torch device."""
        return replace(self, network=self.network.to(device), device=device)

    def match(self, donor: Pixels, probe: Pixels) -> tuple[Points, Points]:
        """Return the matched points; see ``Matcher.match``."""
        pictures = [
            _to_tensor(
                np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))[..., None], self.device
            )
            for picture in (donor, probe)
        ]
        with torch.inference_mode():
            answer = self.network({"image0": pictures[0], "image1": pictures[1]})
        sure = answer["confidence"] >= self.min_confidence
        points = [answer[name][sure] for name in ("keypoints0", "keypoints1")]
        return _inside(points[0], points[1], donor.shape, probe.shape)


@dataclass(frozen=True)
class DiskLightGlue:
    """DISK's key points (Tyszkiewicz, Fua, Trulls, NeurIPS 2020), matched by LightGlue (ICCV 2023).

    Attributes:
        disk: kornia's ``DISK`` in evaluation mode.
        light_glue: kornia's ``LightGlueMatcher`` in evaluation mode.
        most_points: Number of key points of a picture, at most.
        device: Torch device that the networks are on.
    """

    disk: Any
    light_glue: Any
    most_points: int
    device: str = "cpu"

    @property
    def identity(self) -> str:
        """Kornia's version and a hash of both networks' weights."""
        return f"{_version()} {hash_tensors(self.disk)} {hash_tensors(self.light_glue)}"

    def to(self, device: str) -> "DiskLightGlue":
        """Return the matcher on a torch device."""
        disk, light_glue = self.disk.to(device), self.light_glue.to(device)
        return replace(self, disk=disk, light_glue=light_glue, device=device)

    def match(self, donor: Pixels, probe: Pixels) -> tuple[Points, Points]:
        """Return the matched points; see ``Matcher.match``."""
        make_frames = import_module("kornia.feature").laf_from_center_scale_ori
        with torch.inference_mode():
            points, descriptors, frames, sides = [], [], [], []
            for picture in (donor, probe):
                tensor = _to_tensor(picture, self.device)
                sides.append(tuple(tensor.shape[2:]))
                features = self.disk(tensor, self.most_points)[0]
                points.append(features.keypoints)
                descriptors.append(features.descriptors)
                size = torch.ones(1, len(features.keypoints), 1, 1, device=self.device)
                frames.append(make_frames(features.keypoints[None], size))
            if min(map(len, points)) < 2:
                return no_matches()
            _, pairs = self.light_glue(*descriptors, *frames, hw1=sides[0], hw2=sides[1])
        first, second = pairs.unbind(dim=1)
        return _inside(points[0][first], points[1][second], donor.shape, probe.shape)


def make_loftr(weights: str, min_confidence: float) -> Loftr:
    """Return LoFTR with its weights; see ``data_specs/detectors/matcher.toml``.

    Raises:
        ModelError: kornia is not installed, or the weights cannot be fetched.
    """
    feature = _feature("matcher:loftr")
    network = _load("matcher:loftr", lambda: feature.LoFTR(pretrained=weights))
    return Loftr(network.eval(), min_confidence)


def make_disk_lightglue(weights: str, most_points: int) -> DiskLightGlue:
    """Return DISK and LightGlue with their weights; see ``data_specs/detectors/matcher.toml``.

    Raises:
        ModelError: kornia is not installed, or the weights cannot be fetched.
    """
    name = "matcher:disk-lightglue"
    feature = _feature(name)
    disk = _load(name, lambda: feature.DISK.from_pretrained(weights))
    light_glue = _load(name, lambda: feature.LightGlueMatcher("disk"))
    return DiskLightGlue(disk.eval(), light_glue.eval(), most_points)


def _feature(text: str) -> Any:
    return import_package("kornia.feature", text, "cisdl-bench[kornia]")


def _load(text: str, load: Callable[[], Any]) -> Any:
    return load_weights(text, "TORCH_HOME, else ~/.cache/torch", load)


def _version() -> str:
    return f"kornia {import_module('kornia').__version__}"


def _to_tensor(picture: npt.NDArray[Any], device: str) -> Tensor:
    """Return a picture, uint8 (H, W, C), as float32 (1, C, h, w) of 0 to 1, its sides made whole.

    What is added lies below and to the right: places of pixels stay.
    """
    height, width = picture.shape[:2]
    down, right = -height % _MULTIPLE, -width % _MULTIPLE
    padded = np.pad(picture, ((0, down), (0, right), (0, 0)), mode="edge")
    tensor = torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 0, 1)))
    return tensor[None].to(device).float() / 255


def _inside(
    donor: Tensor, probe: Tensor, donor_shape: tuple[int, ...], probe_shape: tuple[int, ...]
) -> tuple[Points, Points]:
    """Return matches as arrays, without those in what was added to a picture."""
    arrays = [points.double().cpu().numpy() for points in (donor, probe)]
    kept = np.ones(len(arrays[0]), dtype=bool)
    for points, shape in zip(arrays, (donor_shape, probe_shape), strict=True):
        kept &= (points <= [shape[1] - 1, shape[0] - 1]).all(axis=1)
    return arrays[0][kept], arrays[1][kept]
