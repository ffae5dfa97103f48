"""Finds the errors that services put into replies with the status 200."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ig4.core.calls.request import CallError
from ig4.plugins.llm.errors import BodyError, call_error

_STATUS_KEYS = ("code", "status", "status_code", "http_code", "http_status", "error_code")
_WORD_KEYS = ("code", "type", "status", "error_code", "reason")
_TEXT_KEYS = ("message", "msg", "detail", "title", "error_msg", "status_msg")

# In the order in which they are tried: a quota that is used up is no limit of speed.
_WORDS: Mapping[int, re.Pattern[str]] = {
    status: re.compile(words, re.IGNORECASE)
    for status, words in {
        402: r"insufficient[_ ]?(?:user_?)?(?:quota|credit|balance|fund)|billing|credit_balance"
        r"|payment_?required|arrears|out_of_credit|no_credit",
        401: r"(?:invalid|incorrect)_?api_?key|authentication|unauthori[sz]ed|unauthenticated"
        r"|invalid_?token|invalid_?credential",
        403: r"permission|forbidden|access_?denied|not_?allowed",
        404: r"not_?found",
        429: r"rate_?limit|too_?many_?requests|throttl|resource_?exhausted|quota_?exceeded",
        529: r"overload|capacity",
        503: r"unavailable",
        504: r"time_?out|deadline",
        500: r"server_?error|internal|api_error|engine|upstream|bad_?gateway",
        400: r"invalid_?request|bad_?request|invalid_?argument|invalid_?param|context_length"
        r"|content_?(?:policy|filter)|validation|unprocessable|unsupported|moderation|inspection",
    }.items()
}
_TEXTS: Mapping[int, re.Pattern[str]] = {
    402: re.compile(r"insufficient (?:balance|credit|fund|quota)|payment required", re.IGNORECASE),
    401: re.compile(
        r"not authenticated|unauthori[sz]ed|(?:invalid|incorrect|missing) (?:api[ -]?key|token)",
        re.IGNORECASE,
    ),
    429: re.compile(r"rate limit|too many requests", re.IGNORECASE),
}


def find_error(body: Any, response: Any = None) -> BodyError | None:
    """Return the error in the decoded body of a reply, None if there is none.

    Services and proxies put it under "error" (an object, a text or a list), beside or inside of
    `choices`, under "detail", "errors" or "base_resp", or are the error themselves.
    """
    for error in _candidates(body):
        return BodyError(_status(error), {"error": error}, response)
    return None


def error_in(error: Any, service: str, variable: str, status: int | None = None) -> CallError:
    """Return the error to raise for the error object of a line of a batch.

    `status` is that of the line, if it has one; else the object's own words count.
    """
    found = BodyError(status if status else _status(error), {"error": error})
    return call_error(found, service, variable)


def _candidates(body: Any) -> Iterator[Any]:
    if isinstance(body, list) and len(body) == 1:  # as Google wraps its errors
        body = body[0]
    if not isinstance(body, Mapping):
        return
    if body.get("error") is True:
        yield {key: value for key, value in body.items() if key != "error"}
    yield from _given(body.get("error"))
    yield from _given(body.get("errors"))
    choices = body.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, Mapping):
            yield from _given(choice.get("error"))
    base = body.get("base_resp")
    if isinstance(base, Mapping) and base.get("status_code"):
        yield base
    if choices or body.get("content"):
        return
    if (
        body.get("object") == "error"
        or body.get("type") == "error"
        or any(body.get(key) for key in _TEXT_KEYS)
    ):
        yield body


def _given(error: Any) -> Iterator[Any]:
    """Yield the first error of a list, or the one that is there."""
    if isinstance(error, list):
        error = next((one for one in error if one), None)
    if error:
        yield error


def _status(error: Any) -> int | None:
    """Return the HTTP status that an error would usually have, None if it cannot be told."""
    if not isinstance(error, Mapping):
        return _by_words(str(error), _TEXTS)
    for key in _STATUS_KEYS:
        status = _number(error.get(key))
        if status is not None:
            return status
    for key in _WORD_KEYS:
        status = _by_words(str(error.get(key) or ""), _WORDS)
        if status is not None:
            return status
    if isinstance(error.get("detail"), list):  # what FastAPI says of a body that is not valid
        return 422
    return _by_words(" ".join(str(error.get(key) or "") for key in _TEXT_KEYS), _TEXTS)


def _number(value: Any) -> int | None:
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return int(text) if re.fullmatch("[45][0-9][0-9]", text.strip()) else None


def _by_words(text: str, words: Mapping[int, re.Pattern[str]]) -> int | None:
    return next((status for status, pattern in words.items() if pattern.search(text)), None)
