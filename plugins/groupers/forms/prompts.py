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
_TAILS: tuple[tuple[re.Pattern[str], str | None], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), form)
    for pattern, form in (
        ((r"\banswer (?:the (?:above )?questions? )?(?:with|using|in|by) (?:only )?(?:a|one) "
         r"(?:single )?(?:word|short phrase|word or (?:a )?(?:short )?phrase)[^.\n]*\.?"), SHORT),
        ((r"\banswer (?:the question )?(?:with )?(?:only )?(?:briefly|shortly|concisely|in short)"
         r"\.?"), SHORT),
        (r"\banswer (?:with |using )?(?:only )?[\"']?yes[\"']? or [\"']?no[\"']?(?: only)?\.?",
         SHORT),
        (r"\b(?:a )?short answer( to the question)?( is)?\s*:?\s*$", SHORT),
        (r"\bwhen the provided information is insufficient, respond with [^.]*\.", SHORT),
        (r"\breference ocr tokens?:.*?(?=\n|$)", None),
        ((r"\banswer (?:the question )?in (?:a |one |a single |complete )?(?:full |complete )?"
         r"sentences?\.?"), SENTENCE),
        (r"\banswer (?:the question )?in (?:detail|several sentences|a paragraph)\.?", DESCRIPTION),
        (r"\b(?:please )?think step by step\.?", None),
    )
)  # fmt: skip
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
_ENDED = re.compile(r"[^.!?\u3002\uff01\uff1f]*[?\uff1f]")  # of Chinese, too


def read_prompt(instruction: str) -> Prompt:
    """Return what an instruction asks, without what surrounds it."""
    if _REGION.search(instruction):
        return Prompt(instruction, None, "region: describe")
    if _ASKS_REGION.search(instruction):
        return Prompt(instruction, None, "region: locate")
    text = _MARKS.sub(" ", instruction).strip()
    if _CHOICE.search(text) or len(set(_OPTION.findall(text))) > 1:
        return Prompt(text, None, "multiple choice")
    form = None
    if len(text) > 20:
        text, form = _without_tails(text)
    return Prompt(_the_question(text), form)


def _without_tails(text: str) -> tuple[str, str | None]:
    found = None
    if _RESPOND.search(text):
        text, found = _RESPOND.sub("\nQuestion:", text), SHORT
    for tail, form in _TAILS:
        cut = tail.sub(" ", text)
        if cut != text and cut.strip():
            text, found = cut.strip(), found or form
    return text, found


def _the_question(text: str) -> str:
    """Return the question after its label, or the last one of several sentences."""
    labelled = _LABEL.search(text)
    if labelled:
        return labelled[1].strip()
    asked = _ENDED.findall(text)
    if asked:
        return str(asked[-1]).strip()
    return text
