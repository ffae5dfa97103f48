"""Says what there is to say about the records and images that were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.core.engine.session import Session

_SHOWN = 12  # different problems that are named
_SHOWN_KINDS = 8  # of what is wrong with images


def tell_unreadable(session: Session, unreadable: Mapping[str, Sequence[str]]) -> None:
    """Say of which images that were looked at now there is nothing to see, and why."""
    kinds = sorted(unreadable.values(), key=len, reverse=True)
    for problems in kinds[:_SHOWN_KINDS]:
        session.notice(
            f"{counted(len(problems), 'image')} cannot be read; the first: {problems[0]}"
        )
    rest = sum(map(len, kinds[_SHOWN_KINDS:]))
    if rest:
        session.notice(f"{counted(rest, 'more image')} cannot be read, for other reasons")


def tell_counts(session: Session, counts: Counter[str], what: str) -> None:
    """Say how many records have each problem or remark, the most frequent ones first."""
    for text, count in counts.most_common(_SHOWN):
        session.notice(f"{counted(count, 'record')}: {text}")
    others = counts.most_common()[_SHOWN:]
    if others:
        total = sum(count for _, count in others)
        session.notice(f"{counted(total, 'record')}: {counted(len(others), f'other {what}')}")
