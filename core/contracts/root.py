"""The root of all contracts: options, a version, an identity, `open` and `close`."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict

from ig4.core.records import JSON

Digest: TypeAlias = Callable[[Path], str]
"""Returns the sha256 of a file or folder; the engine caches it by size and time."""


class Options(BaseModel):
    """The options of a component: frozen, and an unknown option is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_Options: TypeAlias = Options  # inside the class, `Options` is its attribute


class Configurable(ABC):
    """The root of all component classes: it has options and a version, and is opened and closed."""

    version: ClassVar[str] = "1"
    Options: ClassVar[type[_Options]] = _Options
    options: _Options

    def __init__(self, options: _Options) -> None:
        self.options = options

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return what the results depend on, JSON-able; part of the fingerprint.

        Leave out what changes only the speed (batch size, device), and replace the path of a
        file by `digest(path)`. Do not import the component's heavy libraries here.
        """
        identity: Mapping[str, JSON] = self.options.model_dump(mode="json")
        return identity

    def open(self) -> None:
        """Load models and libraries. Called once, in the process that does the work.

        Raises:
            PrerequisiteError: weights, a key or a device are missing.
        """

    def close(self) -> None:
        """Free what `open` loaded."""
