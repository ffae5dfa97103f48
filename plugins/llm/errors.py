"""Maps the errors of vendors' clients to ig4's: retry, give up the request, or stop all calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from ig4.core import secrets
from ig4.core.calls.request import (
    CallError,
    NotFoundError,
    RejectedError,
    ServiceError,
    TransientError,
)

_PAYMENT_STATUSES = {400, 403, 429}
_RETRIED_STATUSES = {408, 409, 425, 429}
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # no database accepts them
_NO_CREDIT = re.compile(
    r"insufficient_quota|billing_(?:hard_limit|not_active)|credit_balance|payment required"
    r"|credit balance is too low|exceeded your current quota|billing hard limit"
    r"|(?:reached|exceeded) (?:your|its|the) (?:\w+ )?spend(?:ing)? limit",
    re.IGNORECASE,
)
"""Messages of services without credit. Rate limits mention billing, too: to pay more."""

_MAX_LENGTH = 300  # characters of a service's message


def call_error(error: Exception, service: str, variable: str) -> CallError:
    """Return the error to raise for an error of a vendor's client; it never shows a key.

    `service` is the name of the service, `variable` the environment variable of its key.
    """
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        cause = error.__cause__ or error.__context__ or error
        message = redact(f"{error} ({type(cause).__name__})")
        return TransientError(f"{service} cannot be reached: {message}")
    message = service_message(error)
    if status == 402 or (status in _PAYMENT_STATUSES and _NO_CREDIT.search(message)):
        return ServiceError(f"{service} says that no credit is left ({status}): {message}")
    if status == 401:
        return ServiceError(f"{service} does not accept the key (401): check {variable}")
    if status == 403:
        return ServiceError(f"{service} refuses access (403): {message}")
    if status == 404:
        return NotFoundError(f"{service} knows no such model or address (404): {message}")
    if status in _RETRIED_STATUSES or status >= 500:
        wait = retry_after(getattr(getattr(error, "response", None), "headers", {}))
        limited = status in (429, 529) or wait is not None
        return TransientError(
            f"{service} says {status}: {message}", retry_after=wait, limited=limited
        )
    return RejectedError(f"{service} rejected the request ({status}): {message}")


def service_message(error: Exception) -> str:
    """Return a service's message, short and without anything that looks like a key."""
    body = getattr(error, "body", None)
    parts: list[str] = []
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        inner = inner if isinstance(inner, Mapping) else {"message": inner}
        parts = [str(inner[key]) for key in ("message", "code", "type") if inner.get(key)]
    return redact("; ".join(dict.fromkeys(parts)) or str(error))


def redact(text: str) -> str:
    """Return text as one short line without any key or password."""
    text = _UNSTORABLE.sub("\ufffd", secrets.redact(text))
    return " ".join(text.split())[:_MAX_LENGTH]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait before a retry, if the service says so."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or not value:
        return seconds
    # By the service's own clock, which every server sends: this machine's may be days wrong.
    until, now = _time(value), _time(headers.get("date"))
    return None if until is None or now is None else max(0.0, until - now)


def _time(text: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (TypeError, ValueError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if 0 <= value < float("inf") else None
