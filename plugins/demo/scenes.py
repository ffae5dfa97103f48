"""Makes up small scenes and renders them as images."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

SIZE = 160
"""Pixels of a side of a rendered scene."""

_OVERSAMPLING = 2

COLOURS = {
    "red": (206, 44, 44),
    "blue": (44, 84, 200),
    "green": (40, 150, 66),
    "yellow": (240, 204, 50),
    "orange": (238, 136, 40),
    "purple": (136, 62, 170),
    "pink": (240, 140, 180),
    "white": (244, 244, 240),
    "black": (30, 30, 34),
    "brown": (122, 78, 44),
}

PLACES = ("left", "middle", "right")

Colour = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One object: what it is, its colour, size ("small" or "large") and place."""

    kind: str
    colour: str
    size: str
    place: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A background with one to three things, each in a place of its own, left to right."""

    background: str
    things: tuple[SceneObject, ...]


def draw_scene(rng: random.Random) -> Scene:
    """Make up a scene."""
    places = sorted(rng.sample(PLACES, rng.choice((1, 2, 2, 3))), key=PLACES.index)
    things = tuple(
        SceneObject(
            rng.choice(tuple(_SHAPES)),
            rng.choice(tuple(COLOURS)),
            rng.choice(("small", "large")),
            place,
        )
        for place in places
    )
    return Scene(rng.choice(tuple(BACKGROUNDS)), things)


def render(scene: Scene, rng: random.Random) -> Image.Image:
    """Draw a scene as an RGB image of SIZE x SIZE pixels; `rng` moves things a little."""
    side = SIZE * _OVERSAMPLING
    image = Image.new("RGB", (side, side))
    draw = ImageDraw.Draw(image)
    top, bottom, ground = BACKGROUNDS[scene.background]
    horizon = side * rng.uniform(0.5, 0.62)
    for y in range(side):
        share = y / horizon
        colour = _mix(top, bottom, share) if y < horizon else _shade(ground, y / side)
        draw.line([(0, y), (side, y)], fill=colour)
    _decorate(draw, scene.background, side, horizon, rng)
    for thing in scene.things:
        _place(draw, thing, side, rng)
    image = image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    noise = Image.frombytes("L", (SIZE, SIZE), rng.randbytes(SIZE * SIZE)).convert("RGB")
    return Image.blend(image, noise, 0.04)


BACKGROUNDS: dict[str, tuple[Colour, Colour, Colour]] = {
    "beach": ((120, 190, 240), (190, 226, 250), (232, 208, 150)),
    "meadow": ((130, 190, 250), (206, 232, 252), (104, 170, 74)),
    "night": ((12, 14, 44), (40, 44, 92), (26, 36, 40)),
    "snow": ((186, 204, 224), (226, 234, 242), (240, 244, 248)),
    "desert": ((250, 196, 120), (252, 226, 170), (214, 150, 80)),
    "sea": ((150, 200, 236), (196, 222, 240), (28, 96, 150)),
    "city": ((150, 160, 174), (196, 202, 210), (92, 94, 100)),
    "room": ((226, 206, 176), (232, 214, 190), (140, 96, 62)),
}
"""Sky at the top, sky at the horizon, and ground of each background."""


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _shade(colour: Colour, depth: float) -> Colour:
    return _mix(colour, (0, 0, 0), (depth - 0.5) * 0.25)


def _decorate(
    draw: ImageDraw.ImageDraw, background: str, side: int, horizon: float, rng: random.Random
) -> None:
    """Draw the details that make a background recognisable."""
    if background == "night":
        for _ in range(40):
            x, y = rng.uniform(0, side), rng.uniform(0, horizon)
            draw.ellipse([x, y, x + 3, y + 3], fill=(250, 250, 220))
        draw.ellipse(
            _box(side * rng.uniform(0.1, 0.9), side * 0.12, side * 0.06), fill=(240, 236, 200)
        )
    elif background in ("beach", "meadow"):
        draw.ellipse(
            _box(side * rng.uniform(0.1, 0.9), side * 0.1, side * 0.06), fill=(255, 232, 120)
        )
    if background == "beach":
        draw.rectangle([0, horizon - side * 0.08, side, horizon], fill=(60, 140, 200))
    if background == "city":
        x = 0.0
        while x < side:
            width, height = rng.uniform(0.08, 0.16) * side, rng.uniform(0.15, 0.4) * side
            grey = rng.randrange(70, 130)
            draw.rectangle([x, horizon - height, x + width, horizon], fill=(grey, grey, grey + 8))
            x += width
    if background in ("meadow", "snow", "sea", "desert"):
        light = (255, 255, 255) if background in ("snow", "sea") else (70, 110, 40)
        light = (236, 180, 110) if background == "desert" else light
        for _ in range(30):
            x, y = rng.uniform(0, side), rng.uniform(horizon, side)
            draw.line([x, y, x + side * 0.03, y], fill=light, width=2)
    if background == "room":
        draw.rectangle(
            [side * 0.38, side * 0.08, side * 0.62, side * 0.3], fill=(170, 210, 240),
            outline=(120, 80, 50), width=6,
        )  # fmt: skip


def _place(draw: ImageDraw.ImageDraw, thing: SceneObject, side: int, rng: random.Random) -> None:
    reach = side * (0.085 if thing.size == "small" else 0.15) * rng.uniform(0.92, 1.08)
    x = side * ((0.18, 0.5, 0.82)[PLACES.index(thing.place)] + rng.uniform(-0.03, 0.03))
    y = side * rng.uniform(0.62, 0.76)
    _SHAPES[thing.kind](draw, x, y, reach, COLOURS[thing.colour])


def _box(x: float, y: float, reach: float) -> list[float]:
    return [x - reach, y - reach, x + reach, y + reach]


def _outline(colour: Colour) -> Colour:
    return _mix(colour, (0, 0, 0) if sum(colour) > 200 else (255, 255, 255), 0.45)


def _around(x: float, y: float, reach: float, points: Sequence[Point]) -> list[Point]:
    return [(x + a * reach, y + b * reach) for a, b in points]


def _ball(d: ImageDraw.ImageDraw, x: float, y: float, r: float, c: Colour) -> None:
    d.ellipse(_box(x, y, r), fill=c, outline=_outline(c), width=3)
    d.ellipse(_box(x - r * 0.35, y - r * 0.35, r * 0.2), fill=_mix(c, (255, 255, 255), 0.6))


def _box_shape(d: ImageDraw.ImageDraw, x: float, y: float, r: float, c: Colour) -> None:
    d.rectangle(_box(x, y, r * 0.9), fill=c, outline=_outline(c), width=3)
    d.line([x, y - r * 0.9, x, y + r * 0.9], fill=_outline(c), width=5)
    d.line([x - r * 0.9, y, x + r * 0.9, y], fill=_outline(c), width=5)


def _house(d: ImageDraw.ImageDraw, x: float, y: float, r: float, c: Colour) -> None:
    d.rectangle([x - r, y - r * 0.2, x + r, y + r], fill=c, outline=_outline(c), width=3)
    roof = _around(x, y, r, [(-1.2, -0.2), (0, -1.2), (1.2, -0.2)])
    d.polygon(roof, fill=_mix(c, (0, 0, 0), 0.5))
    d.rectangle([x - r * 0.25, y + r * 0.3, x + r * 0.25, y + r], fill=(90, 60, 40))


def _tree(d: ImageDraw.ImageDraw, x: float, y: float, r: float, c: Colour) -> None:
    d.rectangle([x - r * 0.15, y, x + r * 0.15, y + r * 1.1], fill=(104, 70, 40))
    for dx, dy in ((-0.45, -0.2), (0.45, -0.2), (0, -0.7)):
        d.ellipse(_box(x + dx * r, y + dy * r, r * 0.6), fill=c)


def _car(d: ImageDraw.ImageDraw, x: float, y: float, r: float, c: Colour) -> None:
    d.rectangle([x - r * 1.2, y, x + r * 1.2, y + r * 0.6], fill=c, outline=_outline(c), width=3)
    cabin = _around(x, y, r, [(-0.7, 0), (-0.4, -0.55), (0.4, -0.55), (0.7, 0)])
    d.polygon(cabin, fill=_mix(c, (255, 255, 255), 0.45), outline=_outline(c))
    for dx in (-0.65, 0.65):
        d.ellipse(
            _box(x + dx * r, y + r * 0.62, r * 0.28), fill=(24, 24, 26), outline=(180, 180, 180)
        )


def _boat(d: ImageDraw.ImageDraw, x: float, y: float, r: float, c: Colour) -> None:
    d.polygon(_around(x, y, r, [(-1.2, 0.3), (1.2, 0.3), (0.7, 0.9), (-0.7, 0.9)]), fill=c)
    d.line([x, y + r * 0.3, x, y - r * 1.2], fill=(90, 70, 50), width=5)
    d.polygon(_around(x, y, r, [(0.08, -1.1), (0.9, 0.15), (0.08, 0.15)]), fill=(250, 250, 244))


def _star(d: ImageDraw.ImageDraw, x: float, y: float, r: float, c: Colour) -> None:
    from math import cos, pi, sin

    points = [
        (sin(n * pi / 5) * (1.15 if n % 2 == 0 else 0.45),
         -cos(n * pi / 5) * (1.15 if n % 2 == 0 else 0.45))
        for n in range(10)
    ]  # fmt: skip
    d.polygon(_around(x, y, r, points), fill=c, outline=_outline(c))


def _fish(d: ImageDraw.ImageDraw, x: float, y: float, r: float, c: Colour) -> None:
    d.polygon(_around(x, y, r, [(0.6, 0), (1.3, -0.5), (1.3, 0.5)]), fill=c)
    d.ellipse(
        [x - r, y - r * 0.55, x + r * 0.8, y + r * 0.55], fill=c, outline=_outline(c), width=3
    )
    d.ellipse(_box(x - r * 0.6, y - r * 0.12, r * 0.1), fill=_outline(c))


def _flower(d: ImageDraw.ImageDraw, x: float, y: float, r: float, c: Colour) -> None:
    d.line([x, y, x, y + r * 1.2], fill=(40, 120, 50), width=6)
    for dx, dy in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)):
        d.ellipse(_box(x + dx * r, y + dy * r, r * 0.42), fill=c, outline=_outline(c))
    d.ellipse(_box(x, y, r * 0.3), fill=(250, 210, 60))


def _umbrella(d: ImageDraw.ImageDraw, x: float, y: float, r: float, c: Colour) -> None:
    d.line([x, y - r * 0.2, x, y + r * 1.1], fill=(80, 60, 44), width=6)
    d.pieslice([x - r * 1.2, y - r, x + r * 1.2, y + r], 180, 360, fill=c, outline=_outline(c))


_SHAPES: dict[str, Callable[[ImageDraw.ImageDraw, float, float, float, Colour], None]] = {
    "ball": _ball,
    "box": _box_shape,
    "house": _house,
    "tree": _tree,
    "car": _car,
    "boat": _boat,
    "star": _star,
    "fish": _fish,
    "flower": _flower,
    "umbrella": _umbrella,
}
