"""How the library's verbs show their progress: as whoever imports ig4 for people says.

Core prints nothing. `import ig4` names the display of terminals and notebooks; a program that calls
`ig4.core` alone sees nothing but what its own listeners hear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ig4.core.events import Listener

Display: TypeAlias = "Callable[[], AbstractContextManager[Listener]]"
"""Opens what shows events while a block runs."""

_displays: list[Display] = []


def show_with(display: Display) -> None:
    """Let the verbs show their progress with this display from now on."""
    _displays[:] = [display]


@contextmanager
def heard(progress: bool, listeners: Sequence[Listener]) -> Iterator[Sequence[Listener]]:
    """Yield the listeners of a session: with `progress` also the display, if there is one."""
    if not progress or not _displays:
        yield listeners
        return
    with _displays[0]() as shown:
        yield [*listeners, shown]
