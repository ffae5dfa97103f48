"""Hands a batch to a plugin; where that raises, one by one, so that only the guilty ones fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ig4.core.errors import Ig4Error, PluginError
from ig4.core.files.images.decode import ImageError
from ig4.core.records import Failure

U = TypeVar("U")
R = TypeVar("R")


def answer_batch(
    call: Callable[[Sequence[U]], Sequence[R | Failure]],
    batch: Sequence[U],
    wanted: type[R],
    *,
    kind: str,
    label: str,
    unit: str,
) -> Sequence[R | Failure]:
    """Return a component's answer to each of a batch; `kind`, `label` and `unit` are for messages.

    Raises:
        Ig4Error: the component itself cannot work (PrerequisiteError), or breaks its contract.
    """
    try:
        given = call(batch)
    except Exception as error:
        if isinstance(error, (Ig4Error, MemoryError)) and not isinstance(error, ImageError):
            raise
        if len(batch) == 1:
            return [Failure(f"{label} failed: {type(error).__name__}: {error}")]
        return [
            answer_batch(call, [one], wanted, kind=kind, label=label, unit=unit)[0] for one in batch
        ]
    if len(given) != len(batch):
        raise PluginError(
            f"{kind} {label} returned {len(given)} results for {len(batch)} {unit}s: it must "
            "return one for each, in order"
        )
    strangers = [one for one in given if not isinstance(one, (wanted, Failure))]
    if strangers:
        raise PluginError(
            f"{kind} {label} returned {strangers[0]!r}: it must return a {wanted.__name__} or a "
            f"Failure for each {unit}"
        )
    return given
