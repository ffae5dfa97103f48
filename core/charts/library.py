"""The libraries that draw: Altair for specifications, vl-convert for files. Loaded when needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ig4.core.errors import MissingExtraError

if TYPE_CHECKING:
    from types import ModuleType

INSTALL = 'pip install "ig4[report]"'


def altair() -> Any:
    """Return the module Altair.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import altair as module
    except ImportError as error:
        raise _missing("altair", error) from None
    return module


def vl_convert() -> ModuleType:
    """Return the module vl-convert, which turns specifications into files without a browser.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import vl_convert as module
    except ImportError as error:
        raise _missing("vl-convert-python", error) from None
    return module


def vega_lite() -> str:
    """Return the version of Vega-Lite that specifications are written for, as in "6.4"."""
    written: str = altair().SCHEMA_VERSION
    return ".".join(written.removeprefix("v").split(".")[:2])


def _missing(name: str, error: ImportError) -> MissingExtraError:
    return MissingExtraError(f"charts need {name} ({error}): {INSTALL}")
