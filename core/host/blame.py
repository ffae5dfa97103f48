"""Names the component whose own code went wrong, in place of a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ig4.core.errors import Ig4Error, PluginError


@contextmanager
def blaming(what: str) -> Iterator[None]:
    """Turn any error of a component's code into one that names it: `what` is "selector mine".

    Raises:
        PluginError: the code inside raised something that is no error of ig4's own.
    """
    try:
        yield
    except (Ig4Error, MemoryError):
        raise
    except Exception as error:
        raise PluginError(f"{what} failed ({type(error).__name__}: {error})") from error
