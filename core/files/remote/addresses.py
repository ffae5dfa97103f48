"""Addresses of data that lies elsewhere: what they are, how they join, and what is secret in them.

Credentials in an address are kept in this process alone: every other place has the address without.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ig4.core.errors import UsageError
from ig4.core.secrets import is_secret_parameter

WEB = ("http", "https")
STORES = ("s3", "s3a", "gs", "gcs", "hf")
"""Schemes that an fsspec file system reads."""

_ADDRESS = re.compile(rf"(?:{'|'.join((*WEB, *STORES))})://[^\s/]", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_FILE = re.compile(r"file://(?:localhost)?(?=/)", re.IGNORECASE)
_BRACES = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{},]+(?:,[^{},]*)+))\}")
_MOST_EXPANDED = 100_000
_GLOB = re.compile(r"[*?\[]")


class _Secrets(NamedTuple):
    """What was taken out of an address: user and password, and parameters of its query."""

    user: str
    parameters: tuple[str, ...]


_kept: dict[str, _Secrets] = {}


def is_address(text: str) -> bool:
    """Tell whether a text is an address that ig4 reads data from."""
    if "://" not in text or _ADDRESS.match(text) is None:
        return False
    try:
        return bool(urlsplit(text).netloc)
    except ValueError:  # half of an IPv6 address
        return False


def is_web(address: str) -> bool:
    """Tell whether an address is one of the web (http, https)."""
    return address[:4].lower() == "http" and address.partition("://")[0].lower() in WEB


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
    """Return an address without its credentials, which this process keeps for its requests.

    Those are user and password, and parameters of the query whose names say that they are secret.
    """
    parts = urlsplit(address)
    user, at, host = parts.netloc.rpartition("@")
    kept: list[str] = []
    secret: list[str] = []
    for parameter in parts.query.split("&") if parts.query else ():
        name = unquote(parameter.partition("=")[0])
        (secret if is_secret_parameter(name) else kept).append(parameter)
    if not (at and user) and not secret and not parts.fragment:
        return address
    fragment = "" if parts.scheme.lower() in WEB else parts.fragment
    found = parts._replace(
        netloc=host if at else parts.netloc, query="&".join(kept), fragment=fragment
    )
    bare = urlunsplit(found)
    if user or secret:
        _kept[bare] = _Secrets(user, tuple(secret))
    return bare


def with_secrets(address: str) -> tuple[str, str | None]:
    """Return an address with the secret parameters it was given with, and its user and password.

    Those of a folder count for what is below it.
    """
    found = _kept.get(address)
    if found is None:
        below = [one for one in _kept if is_beneath(address, one)]
        if not below:
            return address, None
        found = _kept[max(below, key=len)]
    parts = urlsplit(address)
    query = "&".join(filter(None, [parts.query, *found.parameters]))
    return urlunsplit(parts._replace(query=query)), found.user or None


def secrets_in_use() -> Iterator[str]:
    """Yield the secret texts of addresses: no message may hold them."""
    for found in _kept.values():
        for text in (found.user, found.user.partition(":")[2], *found.parameters):
            value = text.partition("=")[2] or text
            if len(value) > 3:
                yield value
                yield unquote(value)


def is_beneath(address: str, root: str) -> bool:
    """Tell whether an address lies below another one, or is it; no step of it may climb."""
    if address == root:
        return True
    one, other = urlsplit(address), urlsplit(root)
    if (one.scheme.lower(), one.netloc.lower()) != (other.scheme.lower(), other.netloc.lower()):
        return False
    if ".." in unquote(one.path).replace("\\", "/").split("/"):
        return False
    return one.path == other.path or one.path.startswith(other.path.rstrip("/") + "/")


def joined(folder: str, name: str) -> str:
    """Return the address of a file below a folder, by its relative path as data writes it."""
    if not is_web(folder):
        return f"{folder.rstrip('/')}/{name}"
    parts = urlsplit(folder)
    path = f"{parts.path.rstrip('/')}/{quote(name)}"
    return urlunsplit(parts._replace(path=path))


def folder_of(address: str) -> str:
    """Return the address of the folder that a file lies in."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}{posixpath.dirname(parts.path)}".rstrip("/")


def name_of(address: str) -> str:
    """Return the name of the file or folder at an address; of a whole bucket or host, its own."""
    parts = urlsplit(address) if is_web(address) else urlsplit(address.replace("?", "%3F"))
    return unquote(posixpath.basename(parts.path.rstrip("/"))) or parts.netloc


def has_pattern(text: str) -> bool:
    """Tell whether a text has braces that stand for several names, as in `{000..012}`."""
    return _BRACES.search(text) is not None


def has_glob(address: str) -> bool:
    """Tell whether an address of a store has `*`, `?` or `[` in it."""
    return not is_web(address) and _GLOB.search(address) is not None


def expanded(text: str) -> list[str]:
    """Return the names that braces stand for: `{000..012}` numbers, `{a,b}` words; else the text.

    Raises:
        UsageError: they are more than anybody means.
    """
    found = [text]
    while True:
        wide = next((one for one in found if has_pattern(one)), None)
        if wide is None:
            return found
        found = [more for one in found for more in _expanded_once(one)]
        if len(found) > _MOST_EXPANDED:
            raise UsageError(f"{text} stands for more than {_MOST_EXPANDED:,} files")


def _expanded_once(text: str) -> list[str]:
    braces = _BRACES.search(text)
    if braces is None:
        return [text]
    first, last, words = braces.groups()
    if words is not None:
        choices = words.split(",")
    else:
        low, high, width = int(first), int(last), len(first)
        if abs(high - low) > _MOST_EXPANDED:
            raise UsageError(f"{text} stands for more than {_MOST_EXPANDED:,} files")
        step = 1 if low <= high else -1
        choices = [str(number).zfill(width) for number in range(low, high + step, step)]
    return [text[: braces.start()] + one + text[braces.end() :] for one in choices]
