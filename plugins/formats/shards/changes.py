"""Counts what in tar shards that are written is not as it was, and says so."""

from __future__ import annotations

from dataclasses import dataclass

from ig4.core.counts import counted, verb


@dataclass(slots=True)
class ShardChanges:
    """How many samples have another key, how many members another ending, how many are not there.

    Of each kind the first is kept, to be shown.
    """

    keys: int = 0
    endings: int = 0
    lost: int = 0
    first_key: tuple[str, str] = ("", "")
    first_ending: tuple[str, str] = ("", "")
    first_lost: str = ""

    def rekey(self, old: str, new: str) -> None:
        """Count a sample that is written under another key."""
        self.first_key = self.first_key if self.keys else (old, new)
        self.keys += 1

    def rename(self, old: str, new: str) -> None:
        """Count a member that is written with another ending."""
        self.first_ending = self.first_ending if self.endings else (old, new)
        self.endings += 1

    def lose(self, ending: str) -> None:
        """Count a member whose bytes ig4 has not."""
        self.first_lost = self.first_lost if self.lost else ending
        self.lost += 1

    def sentences(self) -> list[str]:
        """Return what there is to say."""
        found = []
        if self.keys:
            old, new = map(_shown, self.first_key)
            found.append(
                f"{counted(self.keys, 'sample')} {verb(self.keys, 'has', 'have')} another key in "
                f"the shards (first: {new} for {old}): the key is no safe path, or another sample "
                "has it. Where the key is the id, that is another one too"
            )
        if self.endings:
            old, new = map(_shown, self.first_ending)
            found.append(
                f"{counted(self.endings, 'member')} {verb(self.endings, 'has', 'have')} another "
                f"ending in the shards (first: {new} for {old}), as not all systems have such names"
            )
        if self.lost:
            are, them = verb(self.lost, "is", "are"), verb(self.lost, "it", "them")
            found.append(
                f"{counted(self.lost, 'member')} {are} not written (first: one that ends in "
                f"{_shown(self.first_lost)}): ig4 did not keep {them} when the shards were read"
            )
        return found


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}…")
