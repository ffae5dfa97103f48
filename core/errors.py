"""Errors that a user can cause; each message says what was wrong and what to do next."""

from __future__ import annotations

from ig4._errors import Ig4Error

__all__ = [
    "ConfigError",
    "DatasetError",
    "Ig4Error",
    "MissingExtraError",
    "MissingScoreError",
    "PluginError",
    "PrerequisiteError",
    "UnknownNameError",
    "UsageError",
]


class UsageError(Ig4Error):
    """The request itself is wrong: an unknown name, a bad option, sizes that do not fit."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting in `ig4.toml` or a command-line option is not valid."""


class DatasetError(Ig4Error):
    """A data set cannot be found, read or written."""


class UnknownNameError(DatasetError):
    """The data set, or the sample of it, that the request names is not there, or is not named."""

    exit_code = 2


class PluginError(Ig4Error):
    """A plugin is broken, or does not keep its contract."""


class MissingExtraError(PluginError):
    """A component needs a library that is not installed."""


class PrerequisiteError(Ig4Error):
    """Something outside ig4 is missing: model weights, a key, a device."""


class MissingScoreError(Ig4Error):
    """Samples lack a score and the user asked for that to be an error."""
