"""The class of a check, and what many checks need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NoReturn, TypeVar

from ig4.core.contracts import Configurable

C = TypeVar("C", bound=Configurable)


class ConformanceError(AssertionError):
    """A component does not keep its contract; the message says how."""


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement on a component; call it to check that it holds."""

    name: str
    run: Callable[[], None]

    @property
    def __name__(self) -> str:
        """The name that pytest shows for the parameter."""
        return self.name

    def __call__(self) -> None:
        """Run the check.

        Raises:
            ConformanceError: it does not hold.
        """
        self.run()


def checks_from(*functions: Callable[..., None], given: tuple[object, ...]) -> list[Check]:
    """Return a check for each function, which is called with the arguments `given`."""
    return [
        Check(function.__name__.removeprefix("check_"), partial(function, *given))
        for function in functions
    ]


def require(holds: bool, message: str) -> None:
    """Raise ConformanceError with `message` unless the condition holds."""
    if not holds:
        fail(message)


def fail(message: str) -> NoReturn:
    """Raise ConformanceError."""
    raise ConformanceError(message)


@contextmanager
def opened(make: Callable[[], C]) -> Iterator[C]:
    """Make a component, open it, and close it at the end of the block."""
    component = make()
    component.open()
    try:
        yield component
    finally:
        component.close()


@contextmanager
def untouched_random_state() -> Iterator[None]:
    """Require that the block does not use NumPy's or Python's global random state."""
    import random

    import numpy as np

    before = random.getstate(), repr(np.random.get_state())
    yield
    after = random.getstate(), repr(np.random.get_state())
    require(before == after, "global random state was used: draw from a generator of your own")
