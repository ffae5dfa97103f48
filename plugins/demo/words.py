"""Texts about a scene: descriptions of one to six sentences, and short answers."""

from __future__ import annotations

import random

from ig4.plugins.demo.scenes import Scene, SceneObject

SETTINGS = {
    "beach": ("on a beach", "a sandy beach with the blue sea behind it"),
    "meadow": ("on a meadow", "a green meadow under a sunny sky"),
    "night": ("at night", "a dark night with stars and the moon"),
    "snow": ("in the snow", "a white field of snow"),
    "desert": ("in the desert", "a desert of orange sand"),
    "sea": ("on the sea", "the open sea with deep blue water"),
    "city": ("in a city", "a grey city with tall buildings"),
    "room": ("in a room", "a room with a window and a wooden floor"),
}
"""Each background as a phrase of place and as a noun phrase."""

COUNTS = ("no things", "one thing", "two things", "three things")
DESCRIBE = (
    "Describe this image in detail.",
    "What do you see in this picture?",
    "Please describe the scene.",
    "Take a look at this image and describe what you notice.",
)


def object_phrase(thing: SceneObject) -> str:
    """Return "a large red ball"."""
    article = "an" if thing.size[0] in "aeiou" else "a"
    return f"{article} {thing.size} {thing.colour} {thing.kind}"


def join_phrases(phrases: list[str]) -> str:
    """Return "a, b and c"."""
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def sentences(scene: Scene, rng: random.Random) -> list[str]:
    """Return everything there is to say of a scene, the main thing first."""
    where, setting = SETTINGS[scene.background]
    things = join_phrases([object_phrase(thing) for thing in scene.things])
    opening = [
        rng.choice(
            (
                f"The image shows {things} {where}.",
                f"There is {things} {where}.",
                f"This is a picture of {things} {where}.",
            )
        )
    ]
    more = [rng.choice((f"The background is {setting}.", f"Behind it all one sees {setting}."))]
    if len(scene.things) > 1:
        more.append(f"In all there are {COUNTS[len(scene.things)]} to be seen {where}.")
    for thing in scene.things:
        side = f"on the {thing.place}" if thing.place != "middle" else "in the middle"
        more.append(
            rng.choice(
                (
                    f"The {thing.kind} {side} is {thing.colour} and {thing.size}.",
                    f"A {thing.colour} {thing.kind} stands {side}.",
                    f"{side.capitalize()} is the {thing.size} {thing.colour} {thing.kind}.",
                )
            )
        )
    for one, other in zip(scene.things, scene.things[1:], strict=False):
        more.append(
            f"The {one.colour} {one.kind} is to the left of the {other.colour} {other.kind}."
        )
    rng.shuffle(more)
    return opening + more


def description(scene: Scene, rng: random.Random) -> str:
    """Return a description of one to six sentences."""
    parts = sentences(scene, rng)
    return " ".join(parts[: rng.randint(2, 6)])


def conversation(scene: Scene, rng: random.Random) -> list[tuple[str, str]]:
    """Return (instruction, answer) turns: mostly one description, sometimes two questions."""
    if rng.random() < 0.75:
        return [(rng.choice(DESCRIBE), description(scene, rng))]
    thing = rng.choice(scene.things)
    where = SETTINGS[scene.background][0]
    return [
        (
            f"What colour is the {thing.kind}?",
            f"The {thing.kind} is {thing.colour}, and it is {thing.size}.",
        ),
        (
            "Where was this?",
            f"It is {where}. " + sentences(scene, rng)[0],
        ),
    ]
