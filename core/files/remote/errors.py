"""What goes wrong with data that lies elsewhere."""

from __future__ import annotations

import errno

from ig4.core.files.remote.credentials import without_secrets


class RemoteFileError(OSError):
    """A file cannot be fetched, and another try would not help; `strerror` says why.

    The text holds no credential of an address, nor one of the environment.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EIO, without_secrets(reason))


class TransientError(RemoteFileError):
    """A file cannot be fetched now: the server is busy, slow or gone, or the connection broke."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after
        """Seconds that the server asks to wait."""


class LargeRemoteFileError(RemoteFileError):
    """A file has more bytes than may be fetched."""


class DeniedFileError(RemoteFileError):
    """A file that the user named is given to others alone: with credentials it may be had."""


class UnknownHostError(TransientError):
    """The name of a host cannot be resolved: it is wrong, or this machine has no network now."""
