"""The instruction set: 3,439 conversations about pictures, two in five of them spoilt.

Each is about one picture: two of easy-VQA's questions and a request for a description, in any
order. What was spoilt, and how, is returned apart from the records and written to a file of its
own, which nothing but the last page of the report reads.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import world

Exchange = tuple[str, str]

SHARE = 0.40
"""How many of the samples are spoilt, in equal parts of each kind."""

_VAGUE = {
    "color": ("Some color.", "A nice one.", "It depends.", "Hard to say."),
    "shape": ("A shape.", "Some object.", "It depends.", "Hard to say."),
    "yes or no": ("Maybe.", "It depends.", "Possibly.", "Hard to say."),
    "description": (
        "The image shows something.",
        "There is a shape in the picture. It looks nice.",
        "This is a picture. One can see an object in it.",
        "The picture has a background and something on it.",
    ),
}
_CHATTER = (
    "As one can see, this is a very interesting picture.",
    "I hope that this answers the question.",
    "Pictures like this one are often used in schools.",
    "Please let me know if there is more that I can do.",
    "It is always good to look at a picture twice.",
    "Colors and shapes are a wonderful thing.",
)


def conversation(scene: world.Scene, rng: random.Random) -> list[Exchange]:
    """Return two questions and a request for a description, with true answers, in any order."""
    questions = balanced(scene, rng)
    turns = [(question, world.short(answer)) for question, answer in questions]
    turns.append((rng.choice(world.DESCRIBE), world.description(scene.facts, rng)))
    rng.shuffle(turns)
    return turns


def balanced(scene: world.Scene, rng: random.Random, count: int = 2) -> list[Exchange]:
    """Return up to `count` of easy-VQA's pairs: as many that ask what as ask whether, if there are.

    Three in four of easy-VQA's questions are answered by yes or no.
    """
    what = [pair for pair in scene.questions if pair[0].startswith("what")]
    whether = [pair for pair in scene.questions if not pair[0].startswith("what")]
    rng.shuffle(what)
    rng.shuffle(whether)
    half = count // 2
    chosen = what[:half] + whether[:half]
    rest = what[half:] + whether[half:]
    return chosen + rest[: count - len(chosen)]


def wrong(turns: Sequence[Exchange], scene: world.Scene, rng: random.Random) -> list[Exchange]:
    """Answer as if the shape had another colour, form and place: a model that sees things."""
    facts = world.other(scene.facts, rng)
    return [
        (
            question,
            world.description(facts, rng)
            if question in world.DESCRIBE
            else world.short(world.answer_to(question, facts.colour, facts.shape)),
        )
        for question, _ in turns
    ]


def vague(turns: Sequence[Exchange], scene: world.Scene, rng: random.Random) -> list[Exchange]:
    """Say nothing that would not be true of any picture."""
    return [(question, rng.choice(_VAGUE[kind_of(question)])) for question, _ in turns]


def truncated(turns: Sequence[Exchange], scene: world.Scene, rng: random.Random) -> list[Exchange]:
    """Break every answer off inside, after a fifth to three fifths of it."""
    return [(question, cut_off(answer, rng)) for question, answer in turns]


def cut_off(answer: str, rng: random.Random) -> str:
    """Break an answer off inside."""
    return answer[: max(1, int(len(answer) * rng.uniform(0.2, 0.6)))].rstrip()


def rambling(turns: Sequence[Exchange], scene: world.Scene, rng: random.Random) -> list[Exchange]:
    """Wrap every answer in chatter, or say it again and again."""
    found = []
    for question, answer in turns:
        chatter = rng.sample(_CHATTER, 3)
        if rng.random() < 0.5:
            said = " ".join([answer] * rng.randint(3, 4))
        else:
            said = " ".join([chatter[0], answer, *chatter[1 : rng.randint(2, 3)]])
        found.append((question, said))
    return found


SPOILERS: dict[str, Callable[[Sequence[Exchange], world.Scene, random.Random], list[Exchange]]] = {
    "wrong": wrong,
    "vague": vague,
    "truncated": truncated,
    "rambling": rambling,
}
MISMATCHED = "mismatched"
"""The fifth kind: a sound conversation that got another picture."""

KINDS = (*SPOILERS, MISMATCHED)


def kind_of(question: str) -> str:
    """Return what a question asks for: a color, a shape, yes or no, a description."""
    if question in world.DESCRIBE:
        return "description"
    if not question.startswith("what"):
        return "yes or no"
    return "color" if "color" in question.split() else "shape"


Choice = Callable[[Sequence[Exchange], random.Random], str | None]
"""How a conversation is spoilt; None leaves it sound."""


def write(
    folder: Path,
    scenes: Sequence[world.Scene],
    count: int,
    seed: int = 0,
    *,
    share: float = SHARE,
    spoil: Choice | None = None,
) -> dict[str, str | None]:
    """Write `llava.json` with its pictures into `folder`; return how each sample was spoilt.

    Scenes are gone through again until there are `count` samples; no two of a picture are alike.
    A `share` is spoilt, in equal parts of each kind; or `spoil` decides of each conversation.
    """
    rng = random.Random(seed)
    spoilt = round(count * share)
    kinds: list[str | None] = [KINDS[i % len(KINDS)] for i in range(spoilt)]
    kinds += [None] * (count - spoilt)
    rng.shuffle(kinds)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    key: dict[str, str | None] = {}
    records = []
    for number, planned in enumerate(kinds):
        scene = scenes[number % len(scenes)]
        turns = conversation(scene, rng)
        kind = planned if spoil is None else spoil(turns, rng)
        if kind == MISMATCHED:
            scene = elsewhere(scene, scenes, rng)
        elif kind is not None:
            turns = SPOILERS[kind](turns, scene, rng)
        name = f"{number:04d}"
        image = f"images/{scene.name}.png"
        (folder / image).write_bytes(scene.path.read_bytes())
        key[name] = kind
        records.append({"id": name, "image": image, "conversations": _messages(turns)})
    text = json.dumps(records, indent=1)
    (folder / "llava.json").write_text(text, encoding="utf-8")
    return key


def elsewhere(scene: world.Scene, scenes: Sequence[world.Scene], rng: random.Random) -> world.Scene:
    """Return another scene that differs in colour or shape."""
    mine = (scene.facts.colour, scene.facts.shape)
    return rng.choice([s for s in scenes if (s.facts.colour, s.facts.shape) != mine])


def _messages(turns: Sequence[Exchange]) -> list[dict[str, str]]:
    messages = []
    for at, (question, answer) in enumerate(turns):
        image = "<image>\n" if at == 0 else ""
        messages.append({"from": "human", "value": image + question})
        messages.append({"from": "gpt", "value": answer})
    return messages
