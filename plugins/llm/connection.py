"""The HTTP clients under the vendors' clients, chosen for many concurrent requests."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ig4.core.errors import PrerequisiteError, UsageError
from ig4.core.secrets import has_secret_address

if TYPE_CHECKING:
    from ig4.core.calls.request import Request


def http_client(vendor: ModuleType, timeout: float) -> Any:
    """Return the vendor's aiohttp client if aiohttp is installed, else None: its default client.

    Measured for 64 concurrent requests on one core: 0.9 ms of processor time a call over aiohttp,
    1.8 ms over httpx.
    """
    make = getattr(vendor, "DefaultAioHttpClient", None)
    if make is None or importlib.util.find_spec("aiohttp") is None:
        return None
    return make(timeout=timeout)


def refuse_password(address: str | None) -> str | None:
    """Return the address unless it has a password or key: options are stored with the run.

    Raises:
        ValueError: it has one.
    """
    if address is not None and has_secret_address(address):
        raise ValueError(
            "an address with a password or key would be written down with the run: set the "
            "environment variable OPENAI_BASE_URL or ANTHROPIC_BASE_URL instead"
        )
    return address


def check_address(*, address: str | None, variable: str) -> None:
    """Check that requests can be sent with an address and a key.

    Raises:
        UsageError: the address is not an HTTP address.
        PrerequisiteError: the key in the environment has characters that a header cannot have.
    """
    if address and not re.match(r"https?://[^/\s]", address, re.IGNORECASE):
        shown = "of the service" if "@" in address else repr(address)
        raise UsageError(
            f"the address {shown} is not valid: write it in full, as in http://localhost:8000/v1"
        )
    key = os.environ.get(variable, "")
    if not (key.isascii() and key.isprintable()):
        raise PrerequisiteError(
            f"{variable} holds a line break or another character that no key has: set it again"
        )


def seconds_for(request: Request, timeout: float) -> float:
    """Return how long to wait for a reply: longer where its limit of tokens was raised.

    A reply that is given up is paid for nevertheless.
    """
    if not request.raised_from:
        return timeout
    return timeout * max(1.0, request.max_tokens / request.raised_from)


def response_type(vendor: ModuleType) -> Any:
    """Return the response class for which a vendor's client returns the raw response.

    Parsing the JSON directly takes half the time of the clients' models, and accepts replies of
    local servers that lack some of their fields.
    """
    return _http_library(vendor).Response


def connection_error(vendor: ModuleType) -> type[Exception]:
    """Return the error of a broken stream, which the clients do not wrap."""
    error: type[Exception] = _http_library(vendor).HTTPError
    return error


def _http_library(vendor: ModuleType) -> Any:
    for base in vendor.DefaultAsyncHttpxClient.__mro__:
        library = base.__module__.partition(".")[0]
        if library.startswith("httpx"):  # httpx or httpx2, as the client's release has it
            return importlib.import_module(library)
    raise AssertionError(f"{vendor.__name__} is built on no httpx")
