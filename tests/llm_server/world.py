"""What the server knows: how it is told to behave, what it was asked, which batches it has."""

from __future__ import annotations

import hashlib
import json
import random
import re
import time
from dataclasses import dataclass, field
from typing import Any

DEFAULTS: dict[str, Any] = {
    "latency": 0.0,  # seconds
    "spread": 0.0,  # seconds more at most, at random
    "fail_rate": 0.0,
    "fail_kinds": ["500"],
    "rules": [],  # {"match": part of the prompt, "path": part of the path, "times": n, "fault": …}
    "require_key": None,
    "batch_seconds": 0.0,
    "batch_room": None,  # requests in line, in all batches; more are refused
    "batch_refusal": 400,  # the status with which they are refused; 0: the batch fails later
    "explanation": "Clear, detailed and varied.",
    "favours": None,  # "first": a judge that always finds the answer shown first better
    "digit_mass": 0.9,  # the chance that a reply begins with a digit
    "seed": 0,
}


def rating_of(prompt: str) -> int:
    """The rating of a prompt, 0 to 100: a hash, so that tests know it without asking."""
    return int(hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest(), 16) % 101


def maximum_of(prompt: str) -> int:
    """The highest rating that a prompt's last words ask for, 100 where they name none."""
    found = re.search(r"number from 0 to (\d+)", prompt[-200:])
    return int(found[1]) if found else 100


def digits_of(prompt: str, mass: float = 0.9) -> dict[str, float]:
    """The chances of the first token of a reply: the digits that are asked for have `mass` of them.

    The digits' own are hashes of the prompt; "4" and " 4" are two tokens. Tests know them.
    """
    found = re.search(r"digit from 1 to (\d)", prompt[-200:])
    seed = hashlib.sha256(prompt.encode("utf-8", "replace")).digest()
    weights = {n: 1 + seed[n] for n in range(1, 1 + int(found[1] if found else 9))}
    total = sum(weights.values())
    chances = {f"{n}": mass * weight / total * 0.75 for n, weight in weights.items()}
    chances |= {f" {n}": mass * weight / total * 0.25 for n, weight in weights.items()}
    return {**chances, "The": (1 - mass) * 0.75, "I": (1 - mass) * 0.25}


def ratings_in(prompt: str, schema: dict[str, Any] | None) -> dict[str, Any] | None:
    """The fields of a reply by a schema with other fields than one score; None if it is not that.

    One of several numbers is chosen by a hash of its name and the prompt; a list of choices gets
    one or two of them; a text gets one.
    """
    fields = (schema or {}).get("properties", {})
    if not fields or "score" in fields or "assistant_1" in fields:
        return None
    told: dict[str, Any] = {}
    for name, wanted in fields.items():
        number = int(hashlib.sha256(f"{name} {prompt}".encode("utf-8", "replace")).hexdigest(), 16)
        if wanted["type"] == "array":
            choices = wanted["items"]["enum"]
            told[name] = sorted({choices[one % len(choices)] for one in (number, number // 99)})
        elif wanted["type"] == "string":
            told[name] = "Plain."
        else:
            told[name] = wanted["enum"][number % len(wanted["enum"])]
    return told


_ANSWER = r"<<<answer of assistant {n} (\w+)>>>\n(.*?)\n<<<end of answer of assistant {n} \1>>>"
_SET = re.compile(r"\[shown (\w+): (\d+)\]")


def answers_of(prompt: str) -> tuple[str, str] | None:
    """The two answers that a judge's prompt shows, None if it is no judge's."""
    found = [re.search(_ANSWER.format(n=n), prompt, re.DOTALL) for n in (1, 2)]
    return (found[0][2], found[1][2]) if found[0] and found[1] else None


def verdict_of(first: str, second: str, favours: str | None = None) -> tuple[int, int]:
    """The scores of two answers, 1 to 10.

    An answer with "[shown first: 7]" gets 7 where it is shown first, with "[shown second: 7]" where
    it is shown second; any other gets a hash of its own, so that tests know it without asking.
    """
    if favours == "first":
        return 9, 5
    return _score(first, "first"), _score(second, "second")


def _score(answer: str, place: str) -> int:
    told = dict(_SET.findall(answer))
    if place in told:
        return int(told[place])
    return int(hashlib.sha256(answer.encode("utf-8", "replace")).hexdigest(), 16) % 10 + 1


@dataclass
class World:
    """The state of one server."""

    config: dict[str, Any] = field(default_factory=lambda: dict(DEFAULTS))
    log: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    flying: int = 0
    most: int = 0
    held: int = 0
    random: random.Random = field(default_factory=lambda: random.Random(0))

    def configure(self, changes: dict[str, Any]) -> None:
        """Change how the server behaves; what is not named stays."""
        unknown = set(changes) - set(DEFAULTS)
        assert not unknown, f"unknown settings: {unknown}"
        self.config |= changes
        if "seed" in changes:
            self.random = random.Random(changes["seed"])

    def reset(self) -> None:
        """Forget everything."""
        self.__init__()  # type: ignore[misc]

    def in_line(self) -> int:
        """How many requests of batches are at work."""
        age = self.config["batch_seconds"]
        return sum(
            len(batch["lines"])
            for batch in self.batches.values()
            if not batch["cancelled"] and time.time() - batch["made"] < age
        )

    def is_full(self, requests: int) -> bool:
        """Tell whether a batch of so many requests is too much."""
        room = self.config["batch_room"]
        return room is not None and self.in_line() + requests > room

    def delay(self) -> float:
        """How long this reply takes, in seconds."""
        return float(self.config["latency"] + self.random.random() * self.config["spread"])

    def fault(self, prompt: str, path: str) -> dict[str, Any] | None:
        """The fault that befalls a request, if any: the first rule that fits, or chance."""
        for rule in self.config["rules"]:
            fits = (rule.get("match") or "") in prompt and (rule.get("path") or "") in path
            if fits and rule.get("times", 1) != 0:
                if rule.get("times") is not None:
                    rule["times"] -= 1
                return dict(rule)
        if self.random.random() < self.config["fail_rate"]:
            return {"fault": self.random.choice(self.config["fail_kinds"])}
        return None

    def note(self, vendor: str, path: str, prompt: str, body: Any) -> dict[str, Any]:
        """Write a request down the moment it arrives; its outcome follows."""
        text = json.dumps(body, sort_keys=True)
        entry = {
            "vendor": vendor,
            "path": path,
            "prompt": prompt,
            "body": hashlib.sha256(text.encode()).hexdigest(),
            "at": time.time(),
            "outcome": "waiting",
            "structured": "response_format" in body or "tools" in body,
            "keys": sorted(body),
            "text": text if len(text) < 10_000 else "",
        }
        self.log.append(entry)
        return entry
