"""Recognises keys and passwords, so that no record, message or log holds one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

HIDDEN = "[secret]"
"""What stands in a record for a value that was a key or a password."""

_KEY = "[key]"

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = frozenset(
    (
        "apikey", "authorization", "bearer", "cookie", "credential", "credentials", "passphrase",
        "passwd", "password", "pwd", "secret", "secrets",
    )
)  # fmt: skip
_KEYS_OF = frozenset(
    (
        "access", "account", "api", "auth", "encryption", "functions", "license", "private",
        "secret", "service", "shared", "signing", "ssh", "storage", "subscription",
    )
)  # fmt: skip
"""A key of one of these is secret; other keys, as that of a table, are not."""

_SECRET_PARAMETERS = frozenset(
    (
        "sig", "signature", "key-pair-id", "awsaccesskeyid", "googleaccessid", "x-amz-signature",
        "x-amz-credential", "x-amz-security-token", "x-goog-signature", "x-goog-credential",
        "hdnea", "hdnts", "hmac", "jwt", "sas", "pass", "pw", "session", "sessionid",
    )
)  # fmt: skip
"""What a secret is called in the query of an address, beside the names above."""

_MAYBE_SECRET_PARAMETERS = frozenset(("key", "code", "policy"))
"""What names a file as often as a secret: the value says which."""

_FILE_NAME = re.compile(r"[^?&=]*\.[A-Za-z][A-Za-z0-9]{1,4}")
_RANDOM = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9_~+/=-]{20,}")
"""What is no name of a file, nor a digest in hex digits."""

_PLACEHOLDER = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|")
"""Values of options such as `image_token` that are no secrets: special tokens, and nothing."""

_USER_IN_ADDRESS = re.compile(
    r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<user>[^/?#\s'\"]*)@(?=[^@]|$)"
)
_PARAMETER = re.compile(r"([?&;#]|%3[fF]|%26)([^=&;#?\s]{1,64})=([^&;#\s'\"]+)")
_HEADER = re.compile(
    r"(\b(?:bearer|basic)\s+)[a-z0-9._~+/=*-]{6,}"
    r"|(\b(?:x-)?(?:api[-_]?key|authorization)[\"']?\s*[:=]\s*[\"']?)"
    r"(?!bearer\b|basic\b|unknown\b|\[secret)[^\s\"',;&]{6,}",
    re.IGNORECASE,
)
_KEY_FORMS = re.compile(
    r"\b(?:"
    r"sk-[A-Za-z0-9_*.-]{6,}"  # OpenAI, Anthropic and who follows them
    r"|(?:pk|rk|key|xai)-(?=[A-Za-z0-9_.-]*[0-9*])[A-Za-z0-9_*.-]{6,}"
    r"|(?:hf|gsk|r8)_[A-Za-z0-9*]{6,}|nvapi-[A-Za-z0-9_*-]{6,}|AIza[A-Za-z0-9_-]{10,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}|AKIA[A-Z0-9]{16}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r")"
)
_SURE_KEY = re.compile(
    r"(?=[^/\s]*[a-z])(?=[^/\s]*[A-Z])(?=[^/\s]*\d)"
    + _KEY_FORMS.pattern.replace("{6,}", "{20,}").replace(
        "(?=[A-Za-z0-9_.-]*[0-9*])[A-Za-z0-9_*.-]", "[A-Za-z0-9_*]"
    )
)
"""A key beyond doubt: `key-Frames-LLaVA-Video-178K` has the form of one, but is cut into words."""

_ENVIRONMENT = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
_LEAST_LENGTH = 6  # characters of a variable's value that is taken for a key
_SURE_LENGTH = 12  # of one that is refused wherever it stands; a shorter one, if it stands alone
_VARIABLE_WORDS = frozenset(
    (
        "apikey", "credential", "credentials", "key", "keys", "pass", "passwd", "password", "pat",
        "secret", "secrets", "token",
    )
)  # fmt: skip
_NOT_THE_KEY = frozenset(
    (
        "dir",
        "file",
        "folder",
        "home",
        "host",
        "id",
        "length",
        "name",
        "path",
        "type",
        "url",
        "user",
        "budget",
        "count",
        "limit",
        "prefix",
        "size",
        "ttl",
        "version",
    )
)
"""What a variable's name ends with if it says where a key is, or whose."""

_MAYBE_WORDS = re.compile(r"[A-Z]?[a-z]+(?:[ _-][A-Z]?[a-z]+)*|[A-Z]+(?:[ _-][A-Z]+)*")
_PATH_START = re.compile(r"[~.]|[A-Za-z]:[\\/]")


def is_secret_name(name: str) -> bool:
    """Return whether an option, header or field of this name holds a key or a password.

    `api_key`, `x-api-key`, `hfToken` and `password` do; `max_tokens` and `key` do not.
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return False
    if words[-1] == "token" or words[0] == "auth" or not _SECRET_WORDS.isdisjoint(words):
        return True
    return any(one in _KEYS_OF and other in ("key", "keys") for one, other in pairwise(words))


def is_secret_parameter(name: str, value: str, *, surely: bool = False) -> bool:
    """Return whether a parameter in the query of an address holds a key or a signature.

    `key`, `code` and `policy` do unless the value is the name of a file, as in `?key=cat.jpg`;
    with `surely` only if it looks as random as keys do.
    """
    if is_secret_name(name) or name.lower() in _SECRET_PARAMETERS:
        return True
    if name.lower() not in _MAYBE_SECRET_PARAMETERS:
        return False
    if surely:
        return bool(_RANDOM.fullmatch(value) or _KEY_FORMS.fullmatch(value))
    return not _FILE_NAME.fullmatch(value)


def redact(text: str) -> str:
    """Return text without what looks like a key or password, or is one in the environment."""
    for value in _environment_secrets():
        text = text.replace(value, _KEY)
    return _redact_forms(text)


def _redact_forms(text: str) -> str:
    if "://" in text:
        text = _USER_IN_ADDRESS.sub(_hide_user, text)
    if "=" in text:
        text = _PARAMETER.sub(_hide_parameter, text)
    text = _HEADER.sub(lambda found: (found[1] or found[2]) + _KEY, text)
    return _KEY_FORMS.sub(_KEY, text)


def _hide_user(found: re.Match[str]) -> str:
    """Hide a password; over HTTP also the name beside it, or alone: it may be a token."""
    scheme, user = found["scheme"], found["user"]
    if scheme.lower().startswith(("http", "git")):
        return f"{scheme}://{HIDDEN}@"
    name, colon, _ = user.partition(":")
    return f"{scheme}://{name}:{HIDDEN}@" if colon else found[0]


def _hide_parameter(found: re.Match[str]) -> str:
    mark, name, value = found.groups()
    secret = is_secret_parameter(name, value)
    return f"{mark}{name}={HIDDEN if secret else value}"


def _environment_secrets() -> list[str]:
    """Return the values of variables that may hold keys, the longest first."""
    values = {
        value.strip()
        for name, value in os.environ.items()
        if _ENVIRONMENT.search(name) and len(value.strip()) >= _LEAST_LENGTH
    }
    return sorted(values, key=lambda value: (-len(value), value))


def _environment_keys() -> list[str]:
    """Return the values of variables that are meant to hold keys: no paths, names or words."""
    named = (value.strip() for name, value in os.environ.items() if _names_a_key(name))
    return [one for one in named if len(one) >= _LEAST_LENGTH and not _is_path(one)]


def _names_a_key(variable: str) -> bool:
    """Tell whether a variable's name says that it holds a key: TOKENIZER and KEY_FILE do not."""
    words = [word.lower() for word in _WORDS.findall(variable)]
    return not _VARIABLE_WORDS.isdisjoint(words) and words[-1] not in _NOT_THE_KEY


def _is_path(value: str) -> bool:
    """Tell whether a value is a path: it begins as one, or there is something at it.

    Keys may hold slashes, or begin with one: then there is no folder of that name.
    """
    if _PATH_START.match(value):
        return True
    first = "/" + value.split("/")[1] if value.startswith("/") else value
    try:
        return os.path.lexists(first)
    except ValueError:  # a NUL
        return False


def scrub(value: Any) -> Any:
    """Return a JSON-able value without secrets: by the names of its fields, and in its texts."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        hidden = hide_named(value)
        return {
            redact(key) if isinstance(key, str) else key: scrub(one) for key, one in hidden.items()
        }
    if isinstance(value, (list, tuple)):
        return [scrub(one) for one in value]
    return value


def hide_named(value: Any) -> Any:
    """Return a JSON-able value with HIDDEN for each field whose name says that it is secret.

    Unlike `scrub` this depends on nothing but the value, so that fingerprints may be made of it.
    """
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if _is_secret_field(key, one) else hide_named(one)
            for key, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [hide_named(one) for one in value]
    return value


def _is_secret_field(name: object, value: object) -> bool:
    if not isinstance(name, str) or not is_secret_name(name):
        return False
    if isinstance(value, str):
        return not _PLACEHOLDER.fullmatch(value)
    return isinstance(value, (Mapping, Sequence)) and bool(value)


def find_secret(value: Any, name: str) -> str | None:
    """Return where a value called `name` holds a key or a password, as "name.b"; None if nowhere.

    Only what is beyond doubt counts: a field named so, an address with a password or a key, text
    that has the form of a service's key, and a key of the environment.
    """
    return next(_secrets(value, (name,)), None)


def _secrets(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, str):
        if has_secret_address(value) or _SURE_KEY.search(value) or _holds_key(value):
            yield ".".join(path)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            here = (*path, str(key))
            if _is_secret_field(key, one):
                yield ".".join(here)
            elif isinstance(key, str) and (_SURE_KEY.search(key) or _holds_key(key)):
                yield ".".join((*path, HIDDEN))
            else:
                yield from _secrets(one, here)
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            yield from _secrets(one, (*path, str(number)))


def _holds_key(text: str) -> bool:
    """Tell whether text holds a key of the environment.

    A short one counts if it is all of the text, and no word that may stand there by chance.
    """
    for key in _environment_keys():
        if len(key) >= _SURE_LENGTH:
            if key in text and " " not in key:
                return True
        elif key == text.strip() and not (_MAYBE_WORDS.fullmatch(key) or key.isdecimal()):
            return True
    return False


def has_secret_address(text: str) -> bool:
    """Return whether text holds an address with a password or a key in it."""
    if "://" not in text:
        return False
    hidden = _PARAMETER.sub(_hide_parameter, _USER_IN_ADDRESS.sub(_hide_user, text))
    return hidden != text
