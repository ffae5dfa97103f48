"""Anthropic's messages and message batches."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from openai_api import prompt_of, rated, within_limit
from world import World

MESSAGES = "/v1/messages"


def message(world: World, body: dict[str, Any], fault: dict[str, Any] | None) -> dict[str, Any]:
    """A message: the rating as a tool's input if a tool is forced, else as text."""
    prompt = prompt_of(body)
    forced = (body.get("tool_choice") or {}).get("type") == "tool"
    wanted = body["tools"][0]["input_schema"] if forced else None
    text, finish, refusal = rated(world, prompt, forced, fault, wanted)
    text, finish, tokens = within_limit(body, text, finish, fault)
    content: list[dict[str, Any]] = [{"type": "text", "text": text, "citations": None}]
    stop = {"length": "max_tokens", "stop": "end_turn"}.get(finish, finish)
    if refusal:
        content, stop = [], "refusal"
    elif forced and text.startswith("{"):
        name = body["tool_choice"]["name"]
        content = [{"type": "tool_use", "id": "toolu_1", "name": name, "input": json.loads(text)}]
        stop = "tool_use"
    if fault and fault["fault"] == "empty-choice":
        content = []
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": len(prompt) // 4,
            "output_tokens": tokens,
            "cache_read_input_tokens": 8,
            "cache_creation_input_tokens": 0,
        },
    }


def error(message: str, kind: str) -> dict[str, Any]:
    """The body of an error."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"}


def make_batch(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """Start a batch; every request of it counts as asked now."""
    for line in body["requests"]:
        prompt = prompt_of(line["params"])
        world.note("anthropic", "batch", prompt, line["params"])["outcome"] = "ok"
    number = f"msgbatch_{len(world.batches) + 1}"
    world.batches[number] = {
        "vendor": "anthropic",
        "lines": body["requests"],
        "made": time.time(),
        "cancelled": False,
    }
    return show_batch(world, number, body.get("base", ""))


def show_batch(world: World, number: str, base: str) -> dict[str, Any]:
    """A batch as it is by now."""
    batch = world.batches[number]
    made = datetime.fromtimestamp(batch["made"], UTC)
    old = time.time() - batch["made"] >= world.config["batch_seconds"]
    ended = old or batch["cancelled"]
    count = len(batch["lines"])
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    if ended:
        for line in results(world, number).splitlines():
            counts[json.loads(line)["result"]["type"]] += 1
    else:
        counts["processing"] = count
    return {
        "id": number,
        "type": "message_batch",
        "processing_status": "ended" if ended else "in_progress",
        "request_counts": counts,
        "created_at": made.isoformat(),
        "expires_at": (made + timedelta(days=1)).isoformat(),
        "ended_at": made.isoformat() if ended else None,
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": f"{base}{MESSAGES}/batches/{number}/results" if ended else None,
    }


def results(world: World, number: str) -> bytes:
    """The lines of a batch's outcome, last first; the same however often they are read."""
    batch = world.batches[number]
    if "results" in batch:
        return bytes(batch["results"])
    lines = []
    for line in reversed(batch["lines"]):
        fault = world.fault(prompt_of(line["params"]), "batch")
        name = fault["fault"] if fault else ""
        result: dict[str, Any]
        if batch["cancelled"]:
            result = {"type": "canceled"}
        elif name == "expired":
            result = {"type": "expired"}
        elif name in ("400", "500"):
            kind = "invalid_request_error" if name == "400" else "api_error"
            result = {"type": "errored", "error": error(f"line failed with {name}", kind)}
        elif fault and name == "line":
            result = fault["result"]
        else:
            told = message(world, line["params"], fault)
            result = {"type": "succeeded", "message": told}
        lines.append(json.dumps({"custom_id": line["custom_id"], "result": result}))
    batch["results"] = "\n".join(lines).encode()
    return bytes(batch["results"])


def list_batches(world: World, query: dict[str, str], base: str) -> dict[str, Any]:
    """A page of batches, newest first."""
    numbers = [n for n, batch in reversed(world.batches.items()) if batch["vendor"] == "anthropic"]
    if query.get("after_id") in numbers:
        numbers = numbers[numbers.index(query["after_id"]) + 1 :]
    page = numbers[: int(query.get("limit", 20))]
    return {
        "data": [show_batch(world, number, base) for number in page],
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
        "has_more": len(page) < len(numbers),
    }
