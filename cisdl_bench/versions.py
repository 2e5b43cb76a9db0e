"""Versions of Python and of packages, for records and bug reports."""

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def read_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of the packages that are installed, in order, and Python's at the end."""
    versions = {}
    for name in packages:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {**versions, "python": platform.python_version()}
