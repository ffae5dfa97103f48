"""Writes the demonstration's data set: scenes with answers, a known share of them spoilt."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

from ig4.plugins.demo.scenes import Scene, draw_scene, render
from ig4.plugins.demo.words import conversation, sentences

SPOILT = ("swapped", "truncated", "vague", "repeated")
"""The kinds of spoilt answers, in equal parts."""

VAGUE = (
    "There are some things in the picture.",
    "It is a nice image with several elements. One can see various objects.",
    "This picture shows something. It looks interesting.",
    "The image contains a scene. There are different colours and shapes in it.",
)
_QUALITY = 90


@dataclass(frozen=True, slots=True)
class DemoSet:
    """A written data set, and what is known of each sample by its id.

    `key` says how it was spoilt, None for a good one; `scenes`, what its image shows. Neither is
    written to the folder: no scorer can see them.
    """

    path: Path
    key: dict[str, str | None]
    scenes: dict[str, Scene]

    @property
    def spoilt(self) -> int:
        """How many samples are spoilt."""
        return sum(kind is not None for kind in self.key.values())


def write(folder: Path, n: int = 360, seed: int = 7, spoilt_share: float = 0.4) -> DemoSet:
    """Draw `n` scenes into `folder` as LLaVA JSON with images; equal seeds, equal data.

    Raises:
        ValueError: fewer than two samples, or a share outside 0..1.
    """
    if n < 2 or not 0 <= spoilt_share <= 1:
        raise ValueError("at least two samples, and a share from 0 to 1")
    rng = random.Random(seed)
    scenes = [draw_scene(rng) for _ in range(n)]
    kinds: list[str | None] = [SPOILT[i % len(SPOILT)] for i in range(round(n * spoilt_share))]
    kinds += [None] * (n - len(kinds))
    rng.shuffle(kinds)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    names = [f"{number:04d}" for number in range(n)]
    records = []
    for number, (scene, kind) in enumerate(zip(scenes, kinds, strict=True)):
        image = f"images/{names[number]}.jpg"
        render(scene, rng).save(folder / image, quality=_QUALITY)
        turns = conversation(scene, rng)
        if kind is not None:
            turns = _spoilt(kind, turns, scenes, number, rng)
        records.append({"id": names[number], "image": image, "conversations": _messages(turns)})
    path = folder / "llava.json"
    path.write_text(json.dumps(records, indent=1), encoding="utf-8")
    return DemoSet(
        path, dict(zip(names, kinds, strict=True)), dict(zip(names, scenes, strict=True))
    )


def _messages(turns: list[tuple[str, str]]) -> list[dict[str, str]]:
    messages = []
    for at, (instruction, answer) in enumerate(turns):
        image = "<image>\n" if at == 0 else ""
        messages.append({"from": "human", "value": image + instruction})
        messages.append({"from": "gpt", "value": answer})
    return messages


def _spoilt(
    kind: str,
    turns: list[tuple[str, str]],
    scenes: list[Scene],
    number: int,
    rng: random.Random,
) -> list[tuple[str, str]]:
    """Return the turns with every answer spoilt; as many as before, lest their number tell."""
    instructions, answers = zip(*turns, strict=True)
    if kind == "swapped":
        answers = _answers_elsewhere(scenes, number, len(turns), rng)
    elif kind == "truncated":
        answers = tuple(_cut(answer, rng) for answer in answers)
    elif kind == "vague":
        answers = tuple(rng.sample(VAGUE, len(turns)))
    else:
        chosen = rng.sample(sentences(scenes[number], rng)[1:], len(turns))
        # Two short turns are about as long as one long one.
        answers = tuple(" ".join([one] * rng.randint(3, 6 // len(turns))) for one in chosen)
    return list(zip(instructions, answers, strict=True))


def _answers_elsewhere(
    scenes: list[Scene], number: int, turns: int, rng: random.Random
) -> tuple[str, ...]:
    """Return the answers of a conversation of as many turns about another scene."""
    others = [scene for scene in scenes if scene != scenes[number]]
    while True:
        turns_elsewhere = conversation(rng.choice(others), rng)
        if len(turns_elsewhere) == turns:
            return tuple(answer for _, answer in turns_elsewhere)


def _cut(answer: str, rng: random.Random) -> str:
    """Return a tenth to three tenths of an answer, broken off inside a word."""
    end = max(6, round(len(answer) * rng.uniform(0.1, 0.3)))
    while not (answer[end - 1].isalpha() and answer[end].isalpha()):
        end -= 1
    return answer[:end]
