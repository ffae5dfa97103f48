"""The prompts whose answer is one digit: DEITA's two questions and SelectIT's five."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ig4.plugins.llm.prompt import PROTECTION, SAMPLE, Template

Question = Literal["complexity", "quality"]

_OPENING = (
    "You grade samples of an instruction-tuning data set. A sample is an instruction and the "
    "answer that a model would be taught to give to it."
)

QUESTIONS: Mapping[Question, str] = {
    "complexity": (
        "how complex the instruction is: 1 for one that asks for a single simple thing that anyone "
        "can tell at once, {levels} for one with many constraints, or that takes knowledge, skill "
        "and several steps of thought"
    ),
    "quality": (
        "how good the answer is as an answer to the instruction: 1 for one that is wrong, empty or "
        "beside the point, {levels} for one that is right, helpful, relevant, deep, creative where "
        "that is wanted, and as detailed as it should be"
    ),
}
"""What DEITA (sections 2.3 and 2.4) has rated, in ig4's words."""

_INSTRUCTION_ONLY = "\nInstruction:\n{instruction}\n"

_DIGIT = "\nReply with one digit from 1 to {levels} and nothing else.\n"

SELECTIT = (
    "how well the answer meets the instruction",
    "how correct and trustworthy the answer is",
    "how clear and well organised the answer is",
    "how much somebody who gave this instruction would be helped by the answer",
    "how much a model would gain from being trained on this instruction with this answer",
)
"""SelectIT asks about the same sample in several ways (section 3.3), here in ig4's words."""

_SELECTIT_SCALE = ", from 1 (not at all) to {levels} (as well as can be)"


def question_template(question: Question, levels: int, *, vision: bool = False) -> Template:
    """Return the prompt for one of DEITA's questions; that for complexity shows no answer."""
    asked = QUESTIONS[question].replace("{levels}", str(levels))
    sample = _INSTRUCTION_ONLY if question == "complexity" else SAMPLE
    return _template(asked, sample, levels, vision=vision)


def selectit_templates(number: int, levels: int, *, vision: bool = False) -> list[Template]:
    """Return the first of SelectIT's prompts, `number` of them."""
    scale = _SELECTIT_SCALE.replace("{levels}", str(levels))
    return [_template(what + scale, SAMPLE, levels, vision=vision) for what in SELECTIT[:number]]


def _template(asked: str, sample: str, levels: int, *, vision: bool) -> Template:
    seen = " You see the image that it is about, too." if vision else ""
    digit = _DIGIT.replace("{levels}", str(levels))
    return Template(f"{_OPENING}{seen}\n\nRate {asked}.\n\n{PROTECTION}{sample}{digit}")
