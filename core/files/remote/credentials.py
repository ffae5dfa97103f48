"""Credentials in addresses: taken out, kept in this process alone, and given back to requests.

What the user named counts for all that lies below it. What a record names counts for that address
alone, and never in the place of what the user named.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from ig4.core.errors import UsageError
from ig4.core.files.remote.addresses import (
    WEB,
    expanded,
    has_pattern,
    is_address,
    is_beneath,
    is_web,
)
from ig4.core.secrets import HIDDEN, has_secret_address, is_secret_parameter, redact

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_FILE = re.compile(r"file://(?:localhost)?(?=/)", re.IGNORECASE)
_MARK = re.compile(r"~[0-9a-f]{16}")
_WORD = re.compile(r"[A-Za-z]+|\w{1,7}")
_BETWEEN = re.compile(r"[^\s?&=;#@:'\"<>(),]+")


class _Secrets(NamedTuple):
    """What was taken out of an address: user and password, and parameters of its query."""

    user: str = ""
    parameters: tuple[str, ...] = ()

    def values(self) -> set[str]:
        """The texts that no message may hold, as they are written and as they are meant."""
        texts = (self.user, self.user.partition(":")[2])
        found = {*texts, *(one.partition("=")[2] for one in self.parameters)}
        return {form for one in found for form in (one, unquote(one)) if form}


_named: dict[str, _Secrets] = {}  # of what the user named: these count below it, too
_alone: dict[str, _Secrets] = {}  # of files that a pattern of the user stands for
_recorded: dict[str, _Secrets] = {}  # of what records name
_recorded_values: set[str] = set()


def place_of(value: object) -> object:
    """Return what a user calls a place as an address without secrets, or as a Path.

    `file://` addresses are paths. Whatever is no text, and no path, stays as it is.

    Raises:
        UsageError: an address of another kind.
    """
    if not isinstance(value, str):
        return value
    local = _FILE.match(value)
    if local is not None:
        return Path(unquote(value[local.end() :]))
    if is_address(value):
        return cleaned(value)
    other = _SCHEME.match(value)
    if other is not None and not Path(value).exists():
        raise UsageError(
            f"{other[0]}… is no address that ig4 reads: these are https://, s3://, gs://, hf:// "
            "and file:///"
        )
    return Path(value)


def cleaned(address: str) -> str:
    """Return an address of the user without its credentials, which are kept for requests.

    Those are user and password, and parameters of the query that are secret. They count for what
    lies below the address, and for all files that it stands for as a pattern.

    Raises:
        UsageError: it is a pattern of too many files.
    """
    bare, found = _parted(address)
    if found != _Secrets():
        if has_pattern(bare):
            _alone.update(dict.fromkeys(expanded(bare), found))
        else:
            _named[bare] = found
    return bare


def record_name(text: str) -> str:
    """Return what an image that a record names by address is called, without its credentials.

    Addresses that differ in their credentials alone may be those of different images: a digest of
    them, from which nobody reads them back, ends the name. Passwords are no part of it, because a
    short one could be guessed. A name that this function made stays what it is.
    """
    if not is_address(text):
        return redact(text) if has_secret_address(text) else text
    if not is_web(text):  # stores look for credentials themselves, and names there may hold "?"
        scheme, _, rest = text.partition("://")
        bucket, slash, key = rest.partition("/")
        return f"{scheme}://{bucket.rpartition('@')[2]}{slash}{key}"
    if _MARK.fullmatch(urlsplit(text).fragment) and _parted(text, surely=True)[1] == _Secrets():
        return text
    bare, found = _parted(text, surely=True)
    if found == _Secrets():
        return bare
    name = f"{bare}#{_mark(found.user.partition(':')[0], *found.parameters)}"
    _recorded[name] = found
    _recorded_values.update(found.values())
    return name


def _mark(*texts: str) -> str:
    return (
        "~" + hashlib.sha256("\0".join(("ig4", *texts)).encode("utf-8", "replace")).hexdigest()[:16]
    )


def _parted(address: str, *, surely: bool = False) -> tuple[str, _Secrets]:
    """Return an address without its credentials, and these; see `is_secret_parameter`."""
    parts = urlsplit(address)
    user, at, host = parts.netloc.rpartition("@")
    kept: list[str] = []
    secret: list[str] = []
    for parameter in parts.query.split("&") if parts.query else ():
        name, _, value = parameter.partition("=")
        is_secret = is_secret_parameter(unquote(name), unquote(value), surely=surely)
        (secret if is_secret else kept).append(parameter)
    if not (at and user) and not secret and not parts.fragment:
        return address, _Secrets()
    fragment = "" if parts.scheme.lower() in WEB else parts.fragment
    bare = parts._replace(
        netloc=host if at else parts.netloc, query="&".join(kept), fragment=fragment
    )
    return urlunsplit(bare), _Secrets(user, tuple(secret))


def share_user(address: str, folder: str) -> None:
    """Let user and password of a file that the user named count for what lies in its folder."""
    user = _of_user(address).user
    if user and folder not in _named:
        _named[folder] = _Secrets(user)


def with_secrets(address: str) -> tuple[str, str | None]:
    """Return an address as it was given, with its parameters, and its user and password.

    What was told for the address itself counts more than what was told for a folder above it.
    """
    own, above = _recorded.get(address, _Secrets()), _of_user(address)
    parts = urlsplit(address)
    parameters = own.parameters or above.parameters
    query = "&".join(filter(None, [parts.query, *parameters]))
    return urlunsplit(_unmarked(parts)._replace(query=query)), own.user or above.user or None


def _of_user(address: str) -> _Secrets:
    """Return what the user told for an address, or for the nearest folder above it."""
    found = _named.get(address) or _alone.get(address)
    if found is not None:
        return found
    below = [one for one in _named if is_beneath(address, one)]
    return _named[max(below, key=len)] if below else _Secrets()


def _unmarked(parts: SplitResult) -> SplitResult:
    return parts._replace(fragment="") if _MARK.fullmatch(parts.fragment) else parts


def without_secrets(text: str) -> str:
    """Return text of a library without what is secret in it.

    A secret that is a plain word is hidden where it stands for itself: other words stay readable.
    """
    for value in {value for one in {*_named.values(), *_alone.values()} for value in one.values()}:
        if _WORD.fullmatch(value):
            text = re.sub(
                rf"(?<=[=:]){re.escape(value)}(?![\w ])|\b{re.escape(value)}(?=@)", HIDDEN, text
            )
        else:
            text = text.replace(value, HIDDEN)
    if _recorded_values:
        text = _BETWEEN.sub(_hide_recorded, text)
    return redact(text)


def _hide_recorded(found: re.Match[str]) -> str:
    is_secret = found[0] in _recorded_values and not _WORD.fullmatch(found[0])
    return HIDDEN if is_secret else found[0]
