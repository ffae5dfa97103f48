"""Tells why a service took no batch: too much at a time, a file that is not there yet, or else."""

from __future__ import annotations

import re

from ig4.core.calls.provider import BatchLimitError, NotSubmittedError
from ig4.core.calls.request import CallError, NotFoundError, ServiceError, TransientError
from ig4.plugins.llm.errors import service_message

FILE_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds after which a service is asked again about a file that it was just given."""

_IN_LINE = re.compile(
    r"token_limit_exceeded|request_limit_exceeded|enqueued|too_many_(?:tasks|batches)"
    r"|in[_ ]progress batch|(?:processing|batch) queue|batch(?:es)? (?:\w+ )?in (?:the )?queue",
    re.IGNORECASE,
)
"""Messages of services that have too many requests or tokens of batches in line."""

_TOO_LARGE = re.compile(
    r"too[_ ]large|too many (?:requests|lines) in|exceeds the maximum"
    r"|max(?:imum)?_(?:requests|lines)|(?:file|request)_size",
    re.IGNORECASE,
)
"""Messages of services that never take a batch of this size."""

_TOKENS = re.compile(r"limit:?\s*([\d][\d,._ ]*)\s*(?:enqueued\s+)?tokens", re.IGNORECASE)

_NO_FILE = re.compile(
    r"(?:cannot|can't|could not|couldn't) find (?:the )?(?:input )?file|no such file"
    r"|file\b.{0,80}\b(?:not found|does not exist)|file_not_found",
    re.IGNORECASE,
)


def limit_error(message: str, said: str) -> BatchLimitError | None:
    """Return the error to raise for what a service said of a batch's size, None if it is not that.

    `message` is what the user is shown.
    """
    if _IN_LINE.search(said):
        found = _TOKENS.search(said)
        digits = re.sub(r"\D", "", found[1]) if found else ""
        return BatchLimitError(message, tokens=int(digits) if digits else None)
    return BatchLimitError(message, alone=True) if _TOO_LARGE.search(said) else None


def is_file_missing(said: str) -> bool:
    """Tell whether a service said that it does not have a file."""
    return bool(_NO_FILE.search(said))


def upload_error(error: CallError) -> CallError:
    """Return the error to raise where no batch can have been made yet."""
    if isinstance(error, TransientError):
        return NotSubmittedError(str(error), retry_after=error.retry_after, limited=error.limited)
    return error


def submission_error(raised: Exception, error: CallError) -> CallError:
    """Return the error to raise for one of a vendor's client when a batch was to be made.

    `error` is what it would be for a single request.
    """
    if isinstance(error, ServiceError) and not isinstance(error, NotFoundError):
        return error
    status = getattr(raised, "status_code", None)
    if not isinstance(status, int):
        return error  # no answer: there may be a batch
    said = service_message(raised)
    if status == 413:
        return BatchLimitError(str(error), alone=True)
    if is_file_missing(said):
        return NotSubmittedError(str(error))
    if status < 500 and (limit := limit_error(str(error), said)):
        return limit
    return upload_error(error) if status == 429 else error


def failure(codes: str, message: str) -> TransientError | None:
    """Return why a batch failed as a whole, if another try may succeed."""
    said = f"{codes} {message}"
    if limit := limit_error(message, said):
        return limit
    if is_file_missing(said) or re.search(r"server_error|internal_error|timeout", said):
        return TransientError(message)
    return None
