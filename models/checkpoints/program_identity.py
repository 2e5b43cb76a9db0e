"""What a user's own network is: its sources, its tensors and its settings, as one hash.

Results of a network are kept under this hash, so a result of an edited network is never taken for
one of the network as it is now.
"""

import ast
import functools
import hashlib
import sys
import uuid
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path
from sysconfig import get_path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_PLAIN = (str, bytes, int, float, complex, type(None))
#: Folders that `pip install` writes to.
_INSTALLED = {Path(get_path(kind)) for kind in ("purelib", "platlib")}
_OF_TORCH = frozenset(vars(nn.Module())) - {"training"}


def identify_program(text: str, module: ModuleType, network: nn.Module) -> tuple[str, str]:
    """Return a network's hash, and a note for the user where it has none and is always another.

    Args:
        text: ``module:factory``, as the user names it.
        module: Module of the factory.
        network: Network that the factory returned.
    """
    identity = hash_program(text, module, network)
    if identity is not None:
        return identity, ""
    return f"source unknown {uuid.uuid4().hex}", (
        f"{text}: its source or tensors cannot be read, so an edited network cannot be told "
        "from this one: its results are never resumed; score it again with --overwrite"
    )


def hash_program(text: str, module: ModuleType, network: nn.Module) -> str | None:
    """Return the hash of a factory's sources and of what it made; None where a source is missing.

    Hashed are the factory's module, the modules that it imports from its own folder, and theirs;
    the modules that define the network's parts, wherever they are, but for torch's own; every
    parameter, buffer and plain attribute of the network. Of installed packages it is the file that
    defines a part, and the version.

    Args:
        text: ``module:factory``, as the user names it.
        module: Module of the factory.
        network: Network that the factory returned.
    """
    digest = hashlib.sha256(text.encode())
    try:
        for name, content in sorted(_sources(module, network).items()):
            _feed(digest, name, content)
        _feed_network(digest, network)
    except (OSError, KeyError, RuntimeError, NotImplementedError, TypeError, ValueError):
        return None  # a module without a file or unknown, or a tensor without bytes
    return digest.hexdigest()


def find_imported_files(module: ModuleType) -> dict[str, Path]:
    """Return a module's file and those of the modules it imports from its folder, by name.

    The imports are read off the sources, wherever in them they stand; a module's folder is the
    one that holds its outermost package. Of an installed package it is the module's file alone:
    beside it lies everything else that is installed.

    Raises:
        OSError: The module has no file, or one cannot be read.
    """
    file = _find_file(module)
    if _INSTALLED.intersection(file.parents):
        return {module.__name__: file}
    package = file.name == "__init__.py"
    depth = module.__name__.count(".") + package
    root = file.parents[depth]
    files: dict[str, Path] = {}
    waiting = [(module.__name__, file)]
    while waiting:
        name, path = waiting.pop()
        if name in files:
            continue
        files[name] = path
        if path.suffix != ".py":
            continue
        inside = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for imported in _imports(path.read_bytes(), inside):
            waiting += _find_files(imported, root)
    return files


def _imports(source: bytes, package: str) -> Iterator[str]:
    """Yield the full names of what a source imports; names out of a module are among them."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".") if package else []
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}".strip(".") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0]
            if called in ("import_module", "__import__") and isinstance(first, ast.Constant):
                yield str(first.value)


def _find_files(name: str, root: Path) -> Iterator[tuple[str, Path]]:
    """Yield a module below a folder and the packages around it, as far as there are files."""
    parts = [part for part in name.split(".") if part.isidentifier()]
    for k in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:k])
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                yield ".".join(parts[:k]), path
                break


def _sources(module: ModuleType, network: nn.Module) -> dict[str, bytes]:
    files = find_imported_files(module)
    call: Any = getattr(network, "call", network)
    for part in (call, *network.modules()):
        definition = part if isinstance(part, (FunctionType, MethodType)) else type(part)
        name = definition.__module__
        if name.split(".")[0] in ("torch", "builtins", "functools", "cisdl_bench"):
            continue
        for module_name, path in find_imported_files(sys.modules[name]).items():
            files.setdefault(module_name, path)
    content = {name: path.read_bytes() for name, path in files.items()}
    installed = {name for name, path in files.items() if _INSTALLED.intersection(path.parents)}
    for package in {name.partition(".")[0] for name in installed}:
        for distribution in packages_distributions().get(package, ()):
            content[f"{distribution} of {package}"] = version(distribution).encode()
    return content


def _find_file(module: ModuleType) -> Path:
    file = getattr(module, "__file__", None)
    if not file:
        raise OSError(f"{module.__name__} has no file")
    return Path(file).absolute()


def _feed_network(digest: Any, network: nn.Module) -> None:
    for name, part in network.named_modules():
        _feed(digest, name, f"{type(part).__module__}.{type(part).__qualname__}")
        tensors = {**part._parameters, **part._buffers}
        for key, value in (*sorted(tensors.items()), *sorted(vars(part).items())):
            if key not in _OF_TORCH:
                _feed(digest, f"{name}.{key}", value)
    call: Any = getattr(network, "call", None)
    if not isinstance(call, nn.Module):
        _feed_callable(digest, call)


def _feed_callable(digest: Any, call: Any) -> None:
    """Feed what a function or object that is no module carries with it."""
    if isinstance(call, functools.partial):
        _feed(digest, "partial", [*call.args, call.keywords])
        _feed_callable(digest, call.func)
        return
    held = getattr(call, "__self__", call)
    kind = type(held)
    _write(digest, f"{kind.__module__}.{kind.__qualname__}", getattr(call, "__qualname__", ""))
    values = [vars(held) if hasattr(held, "__dict__") else None]
    function = getattr(call, "__func__", call)
    if isinstance(function, FunctionType):
        _feed_code(digest, function.__code__)
        values += [function.__defaults__, function.__kwdefaults__]
        values += [function.__globals__.get(name) for name in function.__code__.co_names]
        values += [cell.cell_contents for cell in function.__closure__ or ()]
    for value in values:
        _feed(digest, "carried", value)


def _feed_code(digest: Any, code: CodeType) -> None:
    """Feed what a function does: two functions of one file differ in nothing else."""
    names = (*code.co_names, *code.co_varnames, *code.co_freevars)
    _write(digest, code.co_qualname, code.co_code, repr(names))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _feed_code(digest, constant)
        else:
            _feed(digest, "constant", constant)


def _feed(digest: Any, name: str, value: Any) -> None:
    """Feed a named value, if it is one that can decide an answer and has the same bytes always."""
    if isinstance(value, Tensor):
        dense = value.detach().to_dense() if value.layout != torch.strided else value.detach()
        flat = dense.cpu().contiguous().reshape(-1).view(torch.uint8)
        _write(digest, name, f"{value.dtype} {tuple(value.shape)}".encode(), flat.numpy().tobytes())
    elif isinstance(value, np.ndarray) and value.dtype != object:
        _write(digest, name, f"{value.dtype} {value.shape}".encode(), value.tobytes())
    elif isinstance(value, nn.Module):
        _feed_network(digest, value)
    elif isinstance(value, _PLAIN):
        _write(digest, name, repr(value).encode())
    elif isinstance(value, dict):
        for key in sorted(value, key=repr):
            _feed(digest, f"{name}.{key!r}", value[key])
    elif isinstance(value, (list, tuple)):
        for k, item in enumerate(value):
            _feed(digest, f"{name}.{k}", item)


def _write(digest: Any, *parts: str | bytes) -> None:
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
