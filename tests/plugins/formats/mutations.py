"""Records as data sets hold them, and what bit rot, scripts and people make of them; seeded."""

from __future__ import annotations

import base64
import copy
import json
import random
from typing import Any

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)

WHOLE: list[Any] = [
    {"id": "1", "image": "a.png", "conversations": [
        {"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "It."}]},
    {"id": 2, "images": ["a.png", "b.png"], "conversations": [
        {"from": "human", "value": "<image> or <image>?"}, {"from": "gpt", "value": "It."},
        {"from": "human", "value": "Sure?"}, {"from": "gpt", "value": "Yes."}]},
    {"messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a.png"}},
                                     {"type": "text", "text": "What?"}]},
        {"role": "assistant", "content": "It."}]},
    {"id": "4", "question": "What?", "image": {"bytes": base64.b64encode(PNG).decode()},
     "answer": "It."},
    {"instruction": "Say.", "input": "this", "output": "It.", "history": [["Hi", "Ho"]],
     "system": "Be kind."},
    {"images": ["a.png"], "texts": [{"user": "What?", "assistant": "It."}]},
    {"id": "7", "conversations": {"from": ["human", "gpt"], "value": ["What?", "It."]}},
    {"image_id": "8", "caption": "It."},
    {"text": "<__dj__image> It. <|__dj__eoc|>", "images": ["a.png"]},
    {"id": "10", "conversations": [{"from": "human", "value": "<img>a.png</img> <video> tag?"},
                                   {"from": "gpt", "value": "It."}]},
]  # fmt: skip
"""One record of each form."""

JUNK: list[Any] = [
    None, True, False, 0, -1, 10**30, 1.5, float("nan"), float("inf"), "", " ", "x" * 3000,
    "\ud800", "a\0b", "<image>", "<image>" * 50, "<video>", "<img>", "<img>a</img>",
    "data:image/png;base64,@",
    "../../etc/passwd", "/etc/passwd", "C:\\a.png", "sha256:/etc/passwd", "http://x.org/a.png",
    "file:///a", [], {}, [[]], [{}], [None], {"from": "gpt"}, {"": ""}, {"bytes": 1}, {"$image": 0},
    {"$base64": "%"}, {"path": {"path": {"path": "a"}}}, [1, "a", None, {"x": []}], "[", "{\"a\":",
    json.loads("[" * 40 + "]" * 40), "\u202e", "é", "🙂",
]  # fmt: skip


def mutated(rng: random.Random) -> Any:
    """Return one of the records after one to four accidents."""
    record = copy.deepcopy(rng.choice(WHOLE))
    for _ in range(rng.randint(1, 4)):
        record = _accident(record, rng)
    return record


def _accident(value: Any, rng: random.Random) -> Any:
    """Return a value in which something, at any depth, is replaced, removed, doubled or renamed."""
    if not isinstance(value, (dict, list)) or not value or rng.random() < 0.1:
        return _other(value, rng)
    key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
    kind = rng.random()
    if kind < 0.6:
        value[key] = _accident(value[key], rng)
    elif kind < 0.75:
        del value[key]
    elif isinstance(value, list):
        value.insert(rng.randrange(len(value) + 1), copy.deepcopy(rng.choice([*value, *JUNK])))
    else:
        new = rng.choice(
            [key.upper(), f"{key}s", "role", "image", "images", "content", "from", "id"]
        )
        value[new] = value.pop(key) if rng.random() < 0.5 else copy.deepcopy(value[key])
    return value


def _other(value: Any, rng: random.Random) -> Any:
    kind = rng.random()
    if kind < 0.5:
        return copy.deepcopy(rng.choice(JUNK))
    if kind < 0.6:
        return [value]
    if kind < 0.7:
        return {rng.choice(["value", "text", "x", "url", "bytes"]): value}
    text = value if isinstance(value, str) else json.dumps(value)
    at = rng.randrange(len(text) + 1)
    return (
        text[:at] + rng.choice(["<image>", "\ud83d", "\0", "\n", "\\", "", "%s", "]"]) + text[at:]
    )


def torn(text: str, rng: random.Random) -> bytes:
    """Return the bytes of a file after one to four accidents."""
    content = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            content[at : at + rng.randrange(9)] = b""
        elif kind == 1:
            content[at:at] = rng.choice([b"\0", b"\xff\xfe", b"\n\n", b",", b"//x\n", b"]", b'"'])
        elif kind == 2 and at < len(content):
            content[at] ^= 1 << rng.randrange(8)
        else:
            content[at:at] = content[: rng.randrange(40)]
    return bytes(content)
