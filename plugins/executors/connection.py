"""The connection to a Ray cluster, which prints nothing and is told about in one line."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ig4.core.errors import PrerequisiteError

_log = logging.getLogger("ig4.plugins")


@contextmanager
def connection(address: str | None) -> Iterator[None]:
    """Connect to the cluster at an address, or to that of RAY_ADDRESS, or start one.

    Raises:
        PrerequisiteError: there is none at the address, or it lets nobody in without its token.
    """
    import ray

    with _quiet():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            raise PrerequisiteError(_unreachable(address, str(error))) from error
        try:
            yield
        finally:
            ray.shutdown()


def _unreachable(address: str | None, told: str) -> str:
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    where = address or "RAY_ADDRESS, if that is set"
    return (
        f"no Ray cluster can be reached (at {where}): {lines[0] if lines else 'no reason given'}. "
        "One that asks for a token wants RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or "
        "RAY_AUTH_TOKEN_PATH"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Let nothing be printed to stdout, where results go.

    Ray prints what its nodes report (an actor that died, a task that is tried again) there, with
    `log_to_driver=False` too.
    """
    from ray._private import worker

    printing = worker.print_to_stdstream
    worker.print_to_stdstream = _logged
    try:
        yield
    finally:
        worker.print_to_stdstream = printing


def _logged(data: dict[str, Any], ignore_prefix: bool = True) -> None:
    for line in data.get("lines", ()):
        _log.debug("ray: %s", line)
