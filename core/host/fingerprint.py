"""Fingerprints of components and samples: a result belongs to one of each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.errors import PluginError
from ig4.core.files.opening import open_file
from ig4.core.records import JSON, Turn
from ig4.core.secrets import hide_named

if TYPE_CHECKING:
    from ig4.core.contracts import Configurable, Digest
    from ig4.core.host.discovery import RegisteredComponent

_DIGEST_BYTES = 16

OUTPUT, OUTPUTS = "output", "outputs"
"""The keys of an identity under which an output has its name, and a scorer those of all."""

_OUTPUT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A component with fixed version and options; `value` is 32 hex digits."""

    kind: str
    name: str
    distribution: str
    version: str
    identity: JSON
    value: str


def of_component(
    registered: RegisteredComponent, component: Configurable, digest: Digest
) -> Fingerprint:
    """Return the fingerprint of a component with its options.

    It covers kind, name, distribution, the class's `version` and its `identity`; not the
    distribution's version, so that an upgrade that changes no result costs nothing; nor keys and
    passwords, so that a new key computes nothing anew.
    """
    identity = hide_named(json.loads(canonical(component.identity(digest))))
    outputs = getattr(component, "outputs", ())
    if outputs:
        identity = _with_outputs(registered, identity, outputs)
    declared = registered.component
    parts = [declared.kind, declared.name, registered.dist, component.version, identity]
    return Fingerprint(
        kind=declared.kind,
        name=declared.name,
        distribution=registered.dist,
        version=component.version,
        identity=identity,
        value=digest_of(parts),
    )


def of_output(scorer: Fingerprint, output: str) -> Fingerprint:
    """Return the fingerprint of one output of a scorer: a component of its own in the database."""
    return replace(
        scorer,
        identity={**scorer.identity, OUTPUT: output},
        value=digest_of([scorer.value, output]),
    )


def split_output(fingerprint: Fingerprint) -> tuple[str, str] | None:
    """Return (the scorer's fingerprint, the output's name) if this is one of an output, else None.

    An option of a scorer may be called "output", too; so the digest decides, not the name.
    """
    identity = fingerprint.identity
    if not isinstance(identity, dict) or not isinstance(identity.get(OUTPUT), str):
        return None
    rest = {key: value for key, value in identity.items() if key != OUTPUT}
    kept = fingerprint
    scorer = digest_of([kept.kind, kept.name, kept.distribution, kept.version, rest])
    output = identity[OUTPUT]
    return (scorer, output) if digest_of([scorer, output]) == kept.value else None


def _with_outputs(registered: RegisteredComponent, identity: JSON, outputs: Sequence[str]) -> JSON:
    """Return the identity of a scorer with several values, which covers the names of these.

    Raises:
        PluginError: a name cannot be that of a column, or the identity has another use for its key.
    """
    name = registered.component.name
    odd = [one for one in outputs if not isinstance(one, str) or not _OUTPUT_NAME.fullmatch(one)]
    if odd or len(set(outputs)) < len(outputs):
        raise PluginError(
            f"scorer {name} declares the outputs {', '.join(map(repr, outputs))}: they must be "
            "different names of letters, digits, - and _"
        )
    listed = list(outputs)
    if OUTPUT in identity or identity.get(OUTPUTS, listed) != listed:
        raise PluginError(
            f"scorer {name} has outputs, so nothing in its identity can be called {OUTPUT!r}, and "
            f"{OUTPUTS!r} only what lists them"
        )
    return {**identity, OUTPUTS: listed}


def of_content(turns: Sequence[Turn], images: Iterable[str]) -> str:
    """Return the hash (32 hex digits) of a sample's content.

    `images` holds the sha256 of each image, or a text that names it if it could not be read: two
    samples whose missing images have different names differ.
    """
    # ascii() of nested tuples of texts is unambiguous, and the same on every Python.
    text = ascii((tuple(map(tuple, turns)), tuple(images)))
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def canonical(value: JSON) -> str:
    """Return JSON text that is the same for equal values: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest_of(value: JSON) -> str:
    """Return the hash (32 hex digits) of a JSON-able value."""
    return hashlib.blake2b(canonical(value).encode(), digest_size=_DIGEST_BYTES).hexdigest()


def sha256_of(path: Path, of_file: Callable[[Path], str] | None = None) -> str:
    """Return the sha256 of a file, or of a folder's files with their names, as hex digits.

    `of_file` gives the sha256 of each file of a folder, for callers that have a cache.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_dir():
        digest = of_file or sha256_of
        files = sorted(file for file in path.rglob("*") if file.is_file())
        listing = [[file.relative_to(path).as_posix(), digest(file)] for file in files]
        return hashlib.sha256(canonical(listing).encode()).hexdigest()
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
