"""What one component has to ask its service about, and where the answers go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from ig4.core.calls.request import BudgetError, CallError, PendingError, ServiceError
from ig4.core.errors import Ig4Error
from ig4.core.files.images.decode import ImageError
from ig4.core.records import Failure

if TYPE_CHECKING:
    from ig4.core.contracts import Ask, AsyncJudge, AsyncScorer

U = TypeVar("U")
R = TypeVar("R")

PAGE = 500
"""How many units are read from the store, or from files, at a time."""


class CallTask(ABC, Generic[U, R]):
    """The units, by place, that one component asks its service about, and how answers are kept."""

    unit: ClassVar[str] = "samples"
    """What `places` counts, as the progress bar calls it."""

    label: str
    component: AsyncScorer | AsyncJudge
    component_id: int
    fingerprint: str
    places: Sequence[int]
    """The units to answer, in order."""

    def begin(self) -> None:
        """Note in the store that the component is at work; called after the service is open."""

    @abstractmethod
    def units(self, places: Sequence[int]) -> Iterator[tuple[int, U]]:
        """Yield (key, unit) for each place, in order; `commit` gets the key back."""

    def is_asked(self, _unit: U) -> bool:
        """Return whether the component itself is asked about a unit: else no failure is its own."""
        return True

    @abstractmethod
    async def answer(self, unit: U, ask: Ask) -> R:
        """Answer one unit; an error that concerns this unit alone is returned, not raised.

        Raises:
            PendingError, BudgetError, ServiceError: it was not asked, or not yet answered.
            Ig4Error: the component itself cannot work.
        """

    @abstractmethod
    def commit(self, answers: Sequence[tuple[int, R]]) -> int:
        """Write (key, answer) to the store in one transaction; returns how many are failures."""


async def answer_or_failure(
    label: str, answer: Callable[[U, Ask], Awaitable[R | Failure]], unit: U, ask: Ask
) -> R | Failure:
    """Return a component's answer to a unit; an error that concerns it alone becomes a Failure.

    Raises:
        PendingError, BudgetError, ServiceError: it was not asked, or not yet answered.
        Ig4Error: the component itself cannot work.
    """
    try:
        return await answer(unit, ask)
    except (PendingError, BudgetError, ServiceError):
        raise
    except (CallError, ImageError) as error:
        return Failure(str(error))
    except Ig4Error:
        raise
    except Exception as error:  # noqa: BLE001 - a plugin's; this unit fails, no other
        return Failure(f"{label} failed: {type(error).__name__}: {error}")
