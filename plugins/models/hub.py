"""Checks before a model is loaded: its device, and whether the Hugging Face hub is reachable."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from ig4.core.errors import PrerequisiteError


def check_device(device: str, *, requested: str, component: str) -> None:
    """Check that torch can use a device that ig4 found without torch.

    `requested` is what the user wrote ("auto", …), `component` the component with the option.

    Raises:
        PrerequisiteError: torch cannot use it, or has a GPU that "auto" did not find.
    """
    import torch

    kind, _, number = device.partition(":")
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and int(number or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available[kind]:
        raise PrerequisiteError(
            f"torch cannot use the device {device!r} here: set device = "
            f'"cpu" (-o {component}.device=cpu), or install a torch built for it'
        )
    if requested == "auto" and kind == "cpu" and torch.cuda.is_available():
        # To continue would silently take hours instead of minutes.
        raise PrerequisiteError(
            'torch sees a GPU that ig4 did not find: set device = "cuda" '
            f'(-o {component}.device=cuda) to use it, or device = "cpu"'
        )


@contextmanager
def offline_if_unreachable(*, local: bool) -> Iterator[None]:
    """Set huggingface_hub offline while the hub is unreachable, except for `local` files.

    It would retry for most of a minute before it looks into its cache.
    """
    from huggingface_hub import constants

    offline = constants.HF_HUB_OFFLINE
    if not local and not offline:
        constants.HF_HUB_OFFLINE = not _can_reach(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline


def _can_reach(url: str) -> bool:
    """Return whether a server accepts connections; True behind a proxy, which decides itself."""
    parts = urlsplit(url)
    proxied = {parts.scheme, "all"} & set(urllib.request.getproxies())
    if proxied or parts.hostname is None:
        return True
    port = parts.port or (80 if parts.scheme == "http" else 443)
    try:
        socket.create_connection((parts.hostname, port), timeout=5).close()
    except OSError:
        return False
    return True
