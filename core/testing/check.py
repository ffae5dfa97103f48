"""What a check is, and the few comparisons that many checks make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NoReturn, TypeVar

from ig4.core.contracts import Configurable

C = TypeVar("C", bound=Configurable)


class ConformanceError(AssertionError):
    """A component does not keep its contract; says how."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing a component must do; call it to find out."""

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
    """Return a check for each function, which is called with what is `given`."""
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
    """Make a component, open it, and close it in the end."""
    component = make()
    component.open()
    try:
        yield component
    finally:
        component.close()


@contextmanager
def untouched_random_state() -> Iterator[None]:
    """Require that the block leaves NumPy's and Python's global random numbers alone."""
    import random

    import numpy as np

    before = random.getstate(), repr(np.random.get_state())
    yield
    after = random.getstate(), repr(np.random.get_state())
    require(before == after, "global random state was used: draw from a generator of your own")
