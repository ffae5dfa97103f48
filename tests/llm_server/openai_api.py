"""OpenAI's chat completions, files and batches."""

from __future__ import annotations

import json
import math
import random
import re
import time
from typing import Any

from world import World, answers_of, digits_of, maximum_of, rating_of, ratings_in, verdict_of

CHAT = "/v1/chat/completions"


def prompt_of(body: dict[str, Any]) -> str:
    """The first message of the user, its texts joined."""
    for message in body.get("messages", ()):
        if message["role"] == "user":
            content = message["content"]
            if isinstance(content, str):
                return content
            return "".join(part.get("text", "") for part in content)
    return ""


def completion(world: World, body: dict[str, Any], fault: dict[str, Any] | None) -> dict[str, Any]:
    """A chat completion: the rating as JSON if a schema is asked for, else on the first line."""
    prompt = prompt_of(body)
    wanted = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
    text, finish, refusal = rated(world, prompt, "response_format" in body, fault, wanted)
    text, finish, tokens = within_limit(body, text, finish, fault)
    usage = {
        "prompt_tokens": len(prompt) // 4,
        "completion_tokens": tokens,
        "total_tokens": len(prompt) // 4 + len(text) // 4,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    message = {"role": "assistant", "content": None if refusal else text, "refusal": refusal}
    choices = [{"index": 0, "finish_reason": finish, "message": message}]
    if body.get("logprobs") and not (fault and fault["fault"] == "no-logprobs"):
        text, told = logprobs_of(world, prompt, int(body.get("top_logprobs") or 0))
        message["content"], choices[0]["finish_reason"] = text, "length"
        choices[0]["logprobs"] = told
    if fault and fault["fault"] == "empty-choice":
        choices = []
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body.get("model"),
        "choices": choices,
        "usage": usage,
    }


def logprobs_of(world: World, prompt: str, top: int) -> tuple[str, dict[str, Any]]:
    """The first token of a reply and its log-probabilities, as the real interface has them.

    The tokens that are no digits have the chances that a model gives to other beginnings.
    """
    chances = digits_of(prompt, world.config["digit_mass"])
    ranked = sorted(chances.items(), key=lambda item: -item[1])

    def entry(token: str, chance: float) -> dict[str, Any]:
        return {"token": token, "logprob": math.log(chance), "bytes": list(token.encode())}

    first = entry(*ranked[0])
    top_entries = [entry(*one) for one in ranked[:top]]
    return ranked[0][0], {"content": [{**first, "top_logprobs": top_entries}], "refusal": None}


def within_limit(
    body: dict[str, Any], text: str, finish: str, fault: dict[str, Any] | None
) -> tuple[str, str, int]:
    """The text, the finish reason and the tokens of a reply that thinks, or is nothing but space.

    The fault "thinks" is a model that thinks for so many `tokens` first, "space" one that fills a
    reply with a schema with white space.
    """
    limit = int(body.get("max_tokens") or body.get("max_completion_tokens") or 512)
    name = fault["fault"] if fault else ""
    if name == "thinks" and fault and limit < fault["tokens"]:
        return "", "length", limit
    if name == "space" and ("response_format" in body or "tools" in body):
        return " \n" * limit, "length", limit
    return text, finish, len(text) // 4


def rated(
    world: World,
    prompt: str,
    structured: bool,
    fault: dict[str, Any] | None,
    schema: dict[str, Any] | None = None,
) -> tuple[str, str, str | None]:
    """The text, the finish reason and the refusal of a reply; it follows a schema if there is one.

    Without, a prompt that shows the names of a JSON object's fields is answered with such.
    """
    name = fault["fault"] if fault else ""
    if name == "refusal":
        return "", "stop", "I'm sorry, but I can't help with that."
    if name == "garbage":
        return "What a lovely picture.", "stop", None
    if name == "out-of-range":
        return "140\nBetter than the best.", "stop", None
    if name == "text":
        return str(fault and fault["text"]), str((fault or {}).get("finish", "stop")), None
    if name == "truncated":
        return "This answer is", "length", None
    why = world.config["explanation"]
    answers = answers_of(prompt)
    if answers is not None:
        one, two = verdict_of(*answers, world.config["favours"])
        told = {"assistant_1": one, "assistant_2": two, "explanation": why}
        return json.dumps(told) if structured else f"{one} {two}\n{why}", "stop", None
    wanted = ratings_in(prompt, schema)
    if wanted is not None:
        return json.dumps(wanted), "stop", None
    score = rating_of(prompt) % (maximum_of(prompt) + 1)
    if structured:
        return json.dumps({"score": score, "explanation": why}), "stop", None
    return f"{score}\n{why}", "stop", None


def error(status: int, message: str, code: str | None = None, kind: str = "error") -> Any:
    """The body of an error."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


# Files and batches


def store_file(world: World, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Take in a file that was uploaded as a form."""
    boundary = re.search(r"boundary=\"?([^\";]+)", headers["content-type"])
    assert boundary
    for part in body.split(b"--" + boundary[1].encode()):
        head, _, content = part.partition(b"\r\n\r\n")
        if b"filename=" in head:
            number = f"file-{len(world.files) + 1}"
            world.files[number] = content.removesuffix(b"\r\n")
            return _file(world, number)
    raise ValueError("the form holds no file")


def _file(world: World, number: str) -> dict[str, Any]:
    return {
        "id": number,
        "object": "file",
        "bytes": len(world.files[number]),
        "created_at": int(time.time()),
        "filename": "batch.jsonl",
        "purpose": "batch",
        "status": "processed",
    }


FULL = (
    "Enqueued token limit reached for gpt-4o-mini in organization org-1. Limit: 90,000 enqueued "
    "tokens. Please try again once some in_progress batches have been completed."
)


def lines_of(world: World, body: dict[str, Any]) -> list[Any]:
    """The requests of a batch that is to be made."""
    return [json.loads(line) for line in world.files[body["input_file_id"]].splitlines() if line]


def make_batch(world: World, body: dict[str, Any]) -> dict[str, Any]:
    """Start a batch; every line of it counts as asked now."""
    lines = lines_of(world, body)
    failed = world.is_full(len(lines))
    for line in [] if failed else lines:
        prompt = prompt_of(line["body"])
        world.note("openai", "batch", prompt, line["body"])["outcome"] = "ok"
    number = f"batch_{len(world.batches) + 1}"
    world.batches[number] = {
        "vendor": "openai",
        "lines": [] if failed else lines,
        "failed": failed,
        "made": time.time(),
        "metadata": body.get("metadata"),
        "cancelled": False,
        "files": None,
        "input": body["input_file_id"],
    }
    return show_batch(world, number)


_FULL_ERROR = {"code": "token_limit_exceeded", "message": FULL, "param": None, "line": None}


def show_batch(world: World, number: str) -> dict[str, Any]:
    """A batch as it is by now."""
    batch = world.batches[number]
    status = "in_progress"
    if batch["failed"]:
        status = "failed"
    elif batch["cancelled"]:
        status = "cancelled"
    elif time.time() - batch["made"] >= world.config["batch_seconds"]:
        status = "completed"
        if batch["files"] is None:
            batch["files"] = _finish(world, number)
    output, errors = batch["files"] or (None, None)
    return {
        "id": number,
        "object": "batch",
        "endpoint": CHAT,
        "completion_window": "24h",
        "input_file_id": batch["input"],
        "status": status,
        "created_at": int(batch["made"]),
        "metadata": batch["metadata"],
        "output_file_id": output,
        "error_file_id": errors,
        "errors": {"object": "list", "data": [_FULL_ERROR]} if batch["failed"] else None,
        "request_counts": {
            "total": len(batch["lines"]),
            "completed": len(world.files[output].splitlines()) if output else 0,
            "failed": len(world.files[errors].splitlines()) if errors else 0,
        },
    }


def _finish(world: World, number: str) -> tuple[str | None, str | None]:
    """Write the two files of a batch, their lines in another order than they came in."""
    good, bad = [], []
    lines = list(world.batches[number]["lines"])
    random.Random(1).shuffle(lines)
    for line in lines:
        fault = world.fault(prompt_of(line["body"]), "batch")
        name = fault["fault"] if fault else ""
        told: dict[str, Any] = {"id": "batch_req", "custom_id": line["custom_id"], "error": None}
        if name == "expired":
            told |= {"response": None, "error": {"code": "batch_expired", "message": "too late"}}
        elif name in ("400", "500"):
            failed = error(int(name), f"line failed with {name}")
            told["response"] = {"status_code": int(name), "request_id": "r", "body": failed}
        elif fault and name == "line":
            told |= fault["line"]
        else:
            body = completion(world, line["body"], fault)
            told["response"] = {"status_code": 200, "request_id": "r", "body": body}
        (bad if name in ("400", "500", "expired") else good).append(json.dumps(told))
    names: list[str | None] = []
    for rows in (good, bad):
        if not rows:
            names.append(None)
            continue
        names.append(f"file-{len(world.files) + 1}")
        world.files[str(names[-1])] = "\n".join(rows).encode()
    return names[0], names[1]


def list_batches(world: World, query: dict[str, str]) -> dict[str, Any]:
    """A page of batches, newest first."""
    numbers = [n for n, batch in reversed(world.batches.items()) if batch["vendor"] == "openai"]
    if query.get("after") in numbers:
        numbers = numbers[numbers.index(query["after"]) + 1 :]
    page = numbers[: int(query.get("limit", 20))]
    return {
        "object": "list",
        "data": [show_batch(world, number) for number in page],
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
        "has_more": len(page) < len(numbers),
    }
