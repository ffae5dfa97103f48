"""The prompts of the published raters, in ig4's words: what they ask for, and in which form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ig4.plugins.llm.prompt import PROTECTION, SAMPLE, Template

_WITHOUT_IMAGE = "You do not see the image."
_WITH_IMAGE = "You see the image, too."

_FIRST_LINE = """
The first line of your reply is the rating alone, as a number from 0 to {maximum}. Explain it on \
the lines that follow.
"""

ALPAGASUS: Mapping[str, str] = {
    "accuracy": (
        "how accurate the answer is: 5 is for an answer that is right in all that it says and does "
        "what the instruction asks, 0 for one that is wrong or beside the point"
    ),
    "helpfulness": (
        "how helpful the answer is: 5 is for an answer that gives whoever asked all that they "
        "need, in a form that they can use, 0 for one that is of no use to them"
    ),
}
"""What AlpaGasus (section 2.2) has rated, by the name of the dimension."""

METRICS: Mapping[str, str] = {
    "image_text_matching": (
        "how well the text fits the image as a whole: 100 if it tells of the main objects, events "
        "and relations that the image shows and of nothing else, 0 if it is about something else"
    ),
    "object_detail_fulfillment": (
        "how completely and correctly the text describes the details of the objects in the image, "
        "such as their number, colour, size, shape, position and material: 100 if all are given "
        "and right, 0 if none is"
    ),
    "caption_text_quality": (
        "how good the text is as a text, whatever the image shows: 100 if it is fluent, correct, "
        "varied in its words and free of repetition and remains of web pages, 0 if it cannot be "
        "read"
    ),
    "semantic_understanding": (
        "how much the text tells beyond what meets the eye: context, purpose, relations and what "
        "follows from them; 100 if it adds knowledge that helps to understand the image, 0 if it "
        "adds none"
    ),
}
"""The four metrics of MLM-Filter (section 3.1), by their names in it."""

CAPABILITIES = (
    "object-spatial-understanding",
    "attribute-identification",
    "logical-deduction",
    "scene-understanding",
    "fine-grained-recognition",
    "language-generation",
    "in-context-learning",
    "comparative-analysis",
    "activity-recognition",
    "causal-reasoning",
    "humanities",
    "stem-knowledge",
    "data-understanding",
    "optical-character-recognition",
)
"""The fourteen capabilities of mmSSR."""

STYLES = (
    "multi-choice",
    "coordinate",
    "yes-no",
    "word-or-short-phrase",
    "short-description",
    "detailed-description",
    "comparison",
    "chain-of-thought",
    "specified-style",
)
"""The nine interaction styles of mmSSR."""

RICH_MAXIMUM = 5

STYLES_KEY = "styles"


def rating_template(what: str, maximum: int, *, vision: bool) -> Template:
    """Return a prompt for one rating from 0 to `maximum`; `what` says what is rated and how."""
    seen = _WITH_IMAGE if vision else _WITHOUT_IMAGE
    asked = f"{_opening(seen)}\n\nRate {what}.\n\n{PROTECTION}"
    return Template(asked + SAMPLE + _FIRST_LINE.format(maximum=maximum))


def reminder(maximum: int) -> str:
    """Return the message after a reply without a rating from 0 to `maximum`."""
    return (
        "Your reply held no rating that could be read. Reply again: the first line is nothing but "
        f"a number from 0 to {maximum}, the explanation follows on the next lines."
    )


def rating_schema(maximum: int) -> dict[str, Any]:
    """Return the JSON schema of a reply with one rating."""
    return {
        "type": "object",
        "properties": {
            "score": {"type": "number", "description": f"The rating, from 0 to {maximum}."},
            "explanation": {"type": "string", "description": "Why, in a few sentences."},
        },
        "required": ["score", "explanation"],
        "additionalProperties": False,
    }


def rich_template(capabilities: Sequence[str], styles: Sequence[str], *, vision: bool) -> Template:
    """Return mmSSR's questions about a sample as one: a rating for each capability, and styles."""
    seen = _WITH_IMAGE if vision else _WITHOUT_IMAGE
    asked = (
        f"{_opening(seen)}\n\nFor each of the capabilities below, rate from 0 to {RICH_MAXIMUM} "
        "how much training on this sample would help such a model to acquire it: "
        f"{RICH_MAXIMUM} if the sample calls for the capability and teaches it well, 0 if it has "
        f"nothing to do with it. Use whole numbers.\n\nCapabilities: {', '.join(capabilities)}\n\n"
        "Then name the styles of interaction that the sample has: one, or several if its turns "
        f"differ.\n\nStyles: {', '.join(styles)}\n\n{PROTECTION}"
    )
    return Template(asked + SAMPLE + _rich_form(capabilities))


def rich_reminder(capabilities: Sequence[str]) -> str:
    """Return the message after a reply that lacks a rating or the styles."""
    return "Your reply could not be read, or was not complete. Reply again." + _rich_form(
        capabilities
    )


def rich_schema(capabilities: Sequence[str], styles: Sequence[str]) -> dict[str, Any]:
    """Return the JSON schema of a reply with a rating for each capability, and the styles."""
    rating = {"type": "integer", "enum": list(range(RICH_MAXIMUM + 1))}
    properties: dict[str, Any] = {name: dict(rating) for name in capabilities}
    properties[STYLES_KEY] = {"type": "array", "items": {"type": "string", "enum": list(styles)}}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _rich_form(capabilities: Sequence[str]) -> str:
    ratings = ", ".join(f'"{name}": …' for name in capabilities)
    return (
        "\nYour reply is one JSON object and nothing else, with a number for every capability and "
        f'a list of the names of styles: {{{ratings}, "{STYLES_KEY}": […]}}\n'
    )


def _opening(seen: str) -> str:
    return (
        "You grade samples of an instruction-tuning data set for vision-language models. A sample "
        "is an instruction about an image and the answer that a model would be taught to give to "
        f"it. {seen}"
    )
