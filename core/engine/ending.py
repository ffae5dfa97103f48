"""Records how a stage ended that did not come to its end: the error, or that it was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ig4.core.errors import Ig4Error
from ig4.core.secrets import redact
from ig4.core.texts import sanitize

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.engine.session import Session

_ERROR_LENGTH = 2000


class Finish(Protocol):
    """A storage function that records how a training, an evaluation or a judgement ended."""

    def __call__(
        self, connection: Connection, number: int, status: str, /, *, error: str | None = None
    ) -> None:
        """Set the status, and the error that is its reason."""


@contextmanager
def record_failure(session: Session, finish: Finish, number: int) -> Iterator[None]:
    """Record with `finish` that `number` failed or was interrupted, if the block raises."""
    try:
        yield
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        with session.store.writing() as connection:
            finish(
                connection, number, "interrupted" if interrupted else "failed",
                error=None if interrupted else error_text(error),
            )  # fmt: skip
        raise


def error_text(error: BaseException) -> str:
    """Return an error in words fit to be stored: its message, with its type if it is not ours."""
    text = str(error) if isinstance(error, Ig4Error) else f"{type(error).__name__}: {error}"
    return sanitize(redact(text))[:_ERROR_LENGTH]
