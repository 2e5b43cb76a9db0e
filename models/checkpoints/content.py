"""What a checkpoint's file holds, checked before anything is built from it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Required, TypedDict

import torch
from msgspec import Meta
from torch import Tensor

from cisdl_bench.errors import ModelError
from cisdl_bench.models.checkpoints.published import recognise_network, rename_key
from cisdl_bench.models.networks.backbone import NAME
from cisdl_bench.strict_json import conforming, json_text

FORMAT = "cisdl-bench checkpoint"
LAYOUT = 1
_RENEW = "Write it again with `cisdl-bench train`"
#: Entries under which other programs keep a network's tensors, beside an epoch or an optimizer.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net", "weights")
#: What wrapping a network puts before the names of its tensors.
_PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")


class About(TypedDict, total=False):
    """What one of our checkpoints says of itself."""

    format: Required[str]
    layout: Required[int]
    architecture: Required[str]
    configuration: "Configuration"
    training: dict[str, Any]
    versions: dict[str, str]
    features: "FeaturesRecord"


class FeaturesRecord(TypedDict):
    """Which published weights the features of a head alone are."""

    kind: Required[str]
    identity: Required[str]


class Configuration(TypedDict, total=False):
    """Arguments of the networks that have any."""

    width: Annotated[float, Meta(gt=0, le=1)]
    pictures: Literal["bgr-minus-mean", "-1..1"]
    backbone: Annotated[str, Meta(pattern=f"^{NAME}$")]


class Content(NamedTuple):
    """A checkpoint's content.

    Attributes:
        about: Architecture, configuration and training record.
        state: Tensors by our names, not yet compared with the network's.
        note: Entries that were left unread or renamed; empty where none were.
    """

    about: dict[str, Any]
    state: dict[str, Any]
    note: str = ""


def read_content(content: Mapping[Any, Any], where: object) -> Content:
    """Return what a dictionary holds: one of ours, or a published state dict.

    Args:
        content: Dictionary that was read from the file.
        where: File that errors name.

    Raises:
        ModelError: It is neither, or an entry is of another type.
    """
    odd = [key for key in content if not isinstance(key, str)]
    if odd:
        raise ModelError.expected(
            where,
            "tensors by their names",
            f"the key {show_key(odd[0])} ({type(odd[0]).__name__}), as an optimizer's state has",
            "Save `model.state_dict()` alone",
        )
    if isinstance(content.get("format"), str) and content["format"] == FORMAT:
        return _ours(dict(content), where)
    return _published(content, where)


def _ours(content: dict[str, Any], where: object) -> Content:
    state = content.pop("state", None)
    try:
        json_text(content)
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelError.expected(
            where, "plain values beside the tensors", f"'{error}'", _RENEW
        ) from error
    conforming(content, About, where, _RENEW, ModelError)
    if content["layout"] != LAYOUT:
        raise ModelError.expected(
            where, f"layout {LAYOUT}", content["layout"], "Use the version that wrote it"
        )
    if content["architecture"] == "dmac-det" and "pictures" not in content.get("configuration", {}):
        what = "what its detection network sees"
        raise ModelError.expected(f"{where}: configuration.pictures", what, "none", _RENEW)
    if not isinstance(state, dict):
        got = "none" if state is None else type(state).__name__
        raise ModelError.expected(f"{where}: state", "a dictionary of tensors", got, _RENEW)
    return Content(content, state)


def _published(content: Mapping[str, Any], where: object) -> Content:
    notes: list[str] = []
    name = next((entry for entry in _WRAPPERS if _holds_tensors(content.get(entry))), "")
    if name and not any(isinstance(value, Tensor) for value in content.values()):
        notes.append(f"read from its entry {name!r}")
        _note_unread([key for key in content if key != name], notes)
        content = content[name]
    named: dict[str, Tensor] = {}
    for key, value in content.items():
        if not isinstance(value, Tensor):
            continue
        short = _without_prefixes(str(key))
        if short in named:
            raise ModelError.expected(
                where, "each tensor once", f"{show_key(short)} twice", "Remove one"
            )
        named[short] = value
    architecture = recognise_network(named)
    if architecture is None:
        first = ", ".join([show_key(key) for key in content][:3]) or "nothing"
        raise ModelError.expected(
            where,
            "a checkpoint of cisdl-bench or the published keys of DMAC-adv.pth or DMVN-BN.pth",
            f"the keys {first}",
            "For another network write a factory, see docs/guide/your-network.md",
        )
    _note_unread([key for key, value in content.items() if not isinstance(value, Tensor)], notes)
    prefix = next((p for p in _PREFIXES for key in content if str(key).startswith(p)), "")
    if prefix:
        notes.append(f"{prefix!r} removed from the names of its tensors")
    about = {"architecture": architecture, "origin": "published state dict"}
    state = {rename_key(architecture, key): value for key, value in named.items()}
    return Content(about, state, "; ".join(notes))


def _note_unread(keys: list[Any], notes: list[str]) -> None:
    if keys:
        more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
        notes.append(f"left unread: {', '.join(show_key(key) for key in keys[:3])}{more}")


def _holds_tensors(value: object) -> bool:
    return isinstance(value, dict) and any(isinstance(entry, Tensor) for entry in value.values())


def _without_prefixes(key: str) -> str:
    """Return a tensor's name without what wrapping its network put before it.

    >>> _without_prefixes("module._orig_mod.base.0.weight")
    'base.0.weight'
    """
    while key.startswith(_PREFIXES):
        key = key.partition(".")[2]
    return key


def show_key(key: object) -> str:
    r"""Return a key as a message can hold it, on one line.

    >>> show_key("a.b"), show_key("a\nb"), show_key(5)
    ('a.b', "'a\\nb'", '5')
    """
    text = str(key)
    return text if text.isprintable() and len(text) <= 100 else repr(text[:100])


def check_tensor(value: object, like: Tensor, where: str, then: str) -> Tensor:
    """Return a tensor in the type of another one, if it can take its place.

    Args:
        value: Entry of a file, perhaps a tensor.
        like: Tensor of the network, whose shape and type are wanted.
        where: File and name of the tensor, for an error.
        then: Next step that an error names.

    Raises:
        ModelError: It is no plain tensor of that shape, or holds NaN or infinite numbers.
    """
    if not isinstance(value, Tensor):
        raise ModelError.expected(where, "a tensor", type(value).__name__, then)
    odd = value.is_nested or value.is_quantized or value.is_meta or value.layout != torch.strided
    number = value.is_floating_point() == like.is_floating_point() and not value.is_complex()
    if odd or not number:
        got = f"{value.layout}, {value.dtype}".replace("torch.", "")
        raise ModelError.expected(where, f"a dense tensor of {like.dtype}", got, then)
    if value.shape != like.shape:
        raise ModelError.expected(where, f"the shape {tuple(like.shape)}", tuple(value.shape), then)
    try:
        cast = value.detach().to(like.dtype)
        bad = int((~cast.isfinite()).sum()) if cast.is_floating_point() else 0
        negative = where.endswith("running_var") and bool((cast < 0).any())
    except (RuntimeError, NotImplementedError) as error:
        raise ModelError.expected(where, f"numbers of {like.dtype}", value.dtype, then) from error
    if bad or negative:
        got = f"{bad:,} that are NaN or infinite" if bad else "negative variances"
        diverged = "Its training has diverged: give an earlier checkpoint"
        raise ModelError.expected(where, "finite numbers", got, diverged)
    return cast
