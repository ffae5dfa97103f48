"""Cuts from an instruction what surrounds the question: how to answer, choices, marks, context."""

from __future__ import annotations

import re
from typing import NamedTuple

from ig4.plugins.groupers.forms.answers import DESCRIPTION, SENTENCE, SHORT


class Prompt(NamedTuple):
    """What is asked, the form of answer that is asked for, and what the instruction holds beside.

    `form` is one of those of `answer_form`, or None; `special` is a form of instruction that says
    all ("multiple choice", "region"), or None.
    """

    question: str
    form: str | None = None
    special: str | None = None


_MARKS = re.compile(
    r"<img>.*?</img>|</?[a-z_ ]*image[a-z_ ]*\d*>|\[/?inst\]|<\|[a-z_]+\|>|"
    r"\[(?:vqa|refer|caption|grounding|identify|detection)\]|^\s*(?:###)?\s*(?:human|user|q):",
    re.IGNORECASE | re.DOTALL,
)
_TAILS: tuple[tuple[str, re.Pattern[str], str | None], ...] = tuple(
    (sign, re.compile(pattern, re.IGNORECASE | re.DOTALL), form)
    for sign, pattern, form in (
        ("answer", (r"\banswer (?:the (?:above )?questions? )?(?:with|using|in|by) (?:only )?"
         r"(?:a|one) (?:single )?(?:word|short phrase|word or (?:a )?(?:short )?phrase)[^.\n]*\.?"),
         SHORT),
        ("answer", (r"\banswer (?:the question )?(?:with )?(?:only )?(?:briefly|shortly|concisely|"
         r"in short)\.?"), SHORT),
        ("answer", (r"\banswer (?:with |using )?(?:only )?[\"']?yes[\"']? or [\"']?no[\"']?"
         r"(?: only)?\.?"), SHORT),
        ("short answer", r"\b(?:a )?short answer( to the question)?( is)?\s*:?\s*$", SHORT),
        ("insufficient",
         r"\bwhen the provided information is insufficient, respond with [^.]*\.", SHORT),
        ("ocr token", r"\breference ocr tokens?:.*?(?=\n|$)", None),
        ("answer", (r"\banswer (?:the question )?in (?:a |one |a single |complete )?"
         r"(?:full |complete )?sentences?\.?"), SENTENCE),
        ("answer", r"\banswer (?:the question )?in (?:detail|several sentences|a paragraph)\.?",
         DESCRIPTION),
        ("step by step", r"\b(?:please )?think step by step\.?", None),
    )
)  # fmt: skip
"""What tells how to answer: a text that is in it, in small letters, its pattern, and the form."""

_CHOICE = re.compile(
    r"\boptions?'s letter\b|\bletter of (?:the )?(?:correct|right)|\bcorrect option\b|"
    r"\bchoose (?:from|one of|the (?:correct|right|best))|\bfrom the (?:given|following) choices",
    re.IGNORECASE,
)
_OPTION = re.compile(r"(?:^|\n|\s)\(?([A-H])[.):]\)?\s", re.MULTILINE)
_REGION = re.compile(r"\[\s*\d*\.?\d+(?:\s*,\s*\d*\.?\d+){3}\s*\]|\{<\d+>(?:<\d+>){3}\}|<loc_?\d+>")
_ASKS_REGION = re.compile(r"\bbounding[- ]box|\bcoordinates?\b|^\s*\[refer\]", re.IGNORECASE)
_LABEL = re.compile(r"(?:^|\n)\s*(?:question|q)\s*:\s*(.+?)(?=\n|$)", re.IGNORECASE)
_RESPOND = re.compile(r"\brespond to this question with a short answer\s*:", re.IGNORECASE)
_ENDS = ".!?\u3002\uff01\uff1f"  # of Chinese, too
_CHOICE_WORDS = ("choice", "choose", "option", "letter")
_LOOKED_AT = 2000  # characters from the start, and as many from the end: a context may be long

# Each pattern is tried only where a text that it needs is there: that halves the time.


def read_prompt(instruction: str) -> Prompt:
    """Return what an instruction asks, without what surrounds it."""
    if len(instruction) > 2 * _LOOKED_AT:
        instruction = f"{instruction[:_LOOKED_AT]}\n{instruction[-_LOOKED_AT:]}"
    low = instruction.lower()
    marked = "[" in low or "<" in low
    if (marked or "{" in low) and _REGION.search(instruction):
        return Prompt(instruction, None, "region: describe")
    if ("box" in low or "coordinate" in low or marked) and _ASKS_REGION.search(instruction):
        return Prompt(instruction, None, "region: locate")
    text = instruction.strip()
    if marked or ":" in low:
        text = _MARKS.sub(" ", instruction).strip()
    if _offers_choices(text, low):
        return Prompt(text, None, "multiple choice")
    text, form = _without_tails(text, low)
    return Prompt(_the_question(text), form)


def _offers_choices(text: str, low: str) -> bool:
    if any(word in low for word in _CHOICE_WORDS) and _CHOICE.search(text):
        return True
    second = "B." in text or "B)" in text or "B:" in text
    return second and len(set(_OPTION.findall(text))) > 1


def _without_tails(text: str, low: str) -> tuple[str, str | None]:
    found = None
    if "short answer" in low and _RESPOND.search(text):
        text, found = _RESPOND.sub("\nQuestion:", text), SHORT
    for sign, tail, form in _TAILS:
        if sign not in low:
            continue
        cut = tail.sub(" ", text)
        if cut != text and cut.strip():
            text, found = cut.strip(), found or form
    return text, found


def _the_question(text: str) -> str:
    """Return the question after its label, or the last one of several sentences."""
    if ":" in text:
        labelled = _LABEL.search(text)
        if labelled:
            return labelled[1].strip()
    end = max(text.rfind("?"), text.rfind("\uff1f"))
    if end < 0:
        return text
    start = max(text.rfind(mark, 0, end) for mark in _ENDS)
    return text[start + 1 : end + 1].strip()
