"""The worlds of the arena: how the samples of each are spoilt, and what kind each sample is."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from miniature_modules import instructions, world

SOUND = "sound"
"""The imported score that only sound samples have: the oracle draws among those that have it."""


@dataclass(frozen=True, slots=True)
class World:
    """How an instruction set is spoilt.

    A `share` of all samples, in equal parts of each kind of spoiling; or, with `kind`, that share
    of the conversations with such a question by `how` alone, and `others` of the rest in all ways.
    """

    name: str
    share: float
    kind: str | None = None
    how: str = ""
    others: float = 0.0

    @property
    def systematic(self) -> bool:
        """Whether one kind of samples is mostly bad."""
        return self.kind is not None

    @property
    def told(self) -> str:
        """What is spoilt, in words."""
        if self.kind is None:
            return f"{self.share:.0%} spoilt, in equal parts of five kinds"
        return (
            f"{self.share:.0%} of conversations with a {self.kind} question {self.how}, "
            f"{self.others:.0%} of others spoilt in five ways"
        )

    def spoil(self, turns: Sequence[instructions.Exchange], rng: random.Random) -> str | None:
        """Return how a conversation of a systematic world is spoilt; None leaves it sound."""
        if any(instructions.kind_of(question) == self.kind for question, _ in turns):
            return self.how if rng.random() < self.share else None
        return rng.choice(instructions.KINDS) if rng.random() < self.others else None


WORLDS = (
    World("mixed-40", 0.4),
    World("mixed-70", 0.7),
    World("shapes-wrong", 0.8, "shape", "wrong", 0.2),
    World("shapes-truncated", 0.8, "shape", "truncated", 0.2),
)


def write(folder: Path, apart: Path, one: World, count: int, seed: int) -> None:
    """Write a world's instruction set; apart from it how each sample is spoilt, and its kind.

    `apart/sound.csv` has a row for each sound sample, to be imported as the score `sound`.
    """
    scenes = world.scenes("instruction", limit=count)
    spoil = one.spoil if one.systematic else None
    key = instructions.write(folder, scenes, count, seed, share=one.share, spoil=spoil)
    kinds = kinds_of(folder / "llava.json")
    apart.mkdir(parents=True, exist_ok=True)
    told = {"spoilt": key, "kinds": kinds}
    (apart / "truth.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    with (apart / "sound.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", SOUND])
        rows.writerows([name, 100] for name, how in key.items() if how is None)
    bad = sum(how is not None for how in key.values())
    print(f"  {len(key):,} samples, {bad:,} of them spoilt ({one.told})")


def kinds_of(path: Path) -> dict[str, str]:
    """Return, by sample id, the kinds of questions of a conversation, as "color + yes or no"."""
    kinds = {}
    for record in json.loads(path.read_text(encoding="utf-8")):
        asked = [
            turn["value"].removeprefix("<image>\n")
            for turn in record["conversations"]
            if turn["from"] == "human"
        ]
        found = {instructions.kind_of(question) for question in asked} - {"description"}
        kinds[record["id"]] = " + ".join(sorted(found))
    return kinds


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a world's samples: how each was spoilt (None: sound), and its kind."""

    spoilt: Mapping[str, str | None]
    kinds: Mapping[str, str]

    def spoilt_share(self, ids: Sequence[str]) -> float:
        """Return the share of spoilt samples, 0-1."""
        return sum(self.spoilt[name] is not None for name in ids) / len(ids)

    def variation(self, ids: Sequence[str]) -> float:
        """Return how far the kinds of some samples are from those of all; see `variation`."""
        return variation(self.kinds.values(), (self.kinds[name] for name in ids))


def read_truth(apart: Path) -> Truth:
    """Return what `write` wrote apart."""
    told = json.loads((apart / "truth.json").read_text(encoding="utf-8"))
    return Truth(told["spoilt"], told["kinds"])


def variation(pool: Iterable[str], chosen: Iterable[str]) -> float:
    """Return the total variation distance, 0-1, of two lots of kinds: half the sum of differences
    of their shares.
    """
    one, other = Counter(pool), Counter(chosen)
    shares = (abs(one[kind] / one.total() - other[kind] / other.total()) for kind in {*one, *other})
    return sum(shares) / 2
