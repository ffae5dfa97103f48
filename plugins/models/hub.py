"""What loading any model has in common: the device it wants, and the hub it may come from."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from ig4.core.errors import PrerequisiteError


def check_device(device: str, *, requested: str, component: str) -> None:
    """Compare a device that was found without torch with what torch sees.

    `requested` is what the user wrote ("auto", …), `component` whose option it is.

    Raises:
        PrerequisiteError: they disagree.
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
        # Going on would quietly take hours where minutes are enough.
        raise PrerequisiteError(
            'torch sees a GPU that ig4 did not find by itself: set device = "cuda" '
            f'(-o {component}.device=cuda) to use it, or device = "cpu"'
        )


@contextmanager
def offline_if_unreachable(*, local: bool) -> Iterator[None]:
    """Go straight to the cache where the hub cannot be reached; nothing to do for `local` files.

    huggingface_hub would ask again and again for most of a minute before it looks there.
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
    """Tell whether a server takes connections; behind a proxy that is the proxy's to know."""
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
