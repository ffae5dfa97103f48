"""Addresses of data that lies elsewhere: what they are, how they join, and what they stand for."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ig4.core.errors import UsageError

WEB = ("http", "https")
STORES = ("s3", "s3a", "gs", "gcs", "hf")
"""Schemes that an fsspec file system reads."""

_ADDRESS = re.compile(rf"(?:{'|'.join((*WEB, *STORES))})://[^\s/]", re.IGNORECASE)
_BRACES = re.compile(r"\{(?:(\d{1,18})\.\.(\d{1,18})|([^{},]+(?:,[^{},]*)+))\}")
_MOST_EXPANDED = 100_000
_GLOB = re.compile(r"[*?\[]")


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

    Each is there once.

    Raises:
        UsageError: they are more than anybody means, or numbers of different widths.
    """
    found = [text]
    while True:
        wide = next((one for one in found if has_pattern(one)), None)
        if wide is None:
            return list(dict.fromkeys(found))
        more: list[str] = []
        for one in found:
            more += _expanded_once(one)
            if len(more) > _MOST_EXPANDED:  # before there are more than fit in memory
                raise UsageError(f"{text} stands for more than {_MOST_EXPANDED:,} files")
        found = more


def _expanded_once(text: str) -> list[str]:
    braces = _BRACES.search(text)
    if braces is None:
        return [text]
    first, last, words = braces.groups()
    if words is not None:
        choices = words.split(",")
    else:
        _require_one_width(first, last)
        low, high, width = int(first), int(last), len(first)
        if abs(high - low) > _MOST_EXPANDED:
            raise UsageError(f"{text} stands for more than {_MOST_EXPANDED:,} files")
        step = 1 if low <= high else -1
        choices = [str(number).zfill(width) for number in range(low, high + step, step)]
    return [text[: braces.start()] + one + text[braces.end() :] for one in choices]


def _require_one_width(first: str, last: str) -> None:
    """Refuse {00..9} and {0..031}: tools differ in what they make of them."""
    zeros = any(len(one) > 1 and one.startswith("0") for one in (first, last))
    if zeros and len(first) != len(last):
        width = max(len(first), len(last))
        padded = f"{{{first.zfill(width)}..{last.zfill(width)}}}"
        raise UsageError(
            f"{{{first}..{last}}} has numbers of different widths: write {padded} for names with "
            f"zeros, or {{{int(first)}..{int(last)}}} for names without"
        )
