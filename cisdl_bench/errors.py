"""The exceptions that the command line prints as one line."""

from typing import Self


class CisdlError(Exception):
    """Something a user can put right; the message is one line that says how."""

    @classmethod
    def expected(cls, where: object, what: str, got: object, then: str) -> Self:
        """Return an error whose sentence has the form that all of ours have.

        Args:
            where: The file, argument or record that is wrong.
            what: What was expected there.
            got: What was found.
            then: What to do next, a sentence without its full stop.

        >>> print(CisdlError.expected("a.toml: size", "a whole number", "'x'", "Write 256"))
        a.toml: size: expected a whole number, got 'x'. Write 256.
        """
        return cls(f"{where}: expected {what}, got {got}. {then}.")


class SpecError(CisdlError):
    """A set's description is wrong or has no such name."""


class SourceError(CisdlError):
    """Photographs or annotations cannot be used at all."""


class DownloadError(CisdlError):
    """A file could not be fetched, checked or unpacked."""


class StoreError(CisdlError):
    """A data set on disk is broken, unfinished or cannot be written."""


class ModelError(CisdlError):
    """A checkpoint or detector cannot be used."""


class RunError(CisdlError):
    """A folder of results is missing, stale or of another kind."""
