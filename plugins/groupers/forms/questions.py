"""Forms of questions and requests: the question word plus the noun asked for, by rules."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ig4.plugins.groupers.forms.words import (
    ATTRIBUTES,
    DESCRIBE,
    DESCRIPTIONS,
    DETERMINERS,
    ENGLISH,
    EXPLAIN,
    GIVE,
    INSIDE,
    KINDS,
    LEADS,
    LOCATE,
    LOOK,
    OPENERS,
    PLAIN_ING,
    PREPOSITIONS,
    PRONOUNS,
    REQUESTS,
    STATES,
    USES,
    WH,
    noun,
    words_of,
)

Path = tuple[str, ...]
"""Names of a form from the finest to the coarsest: a small group joins the next one."""

DESCRIBED: Path = ("describe",)
_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?")
_LEAD = re.compile(
    r"^(?:in|from|on|at|based on|according to|looking at|considering|given|for|as)\b[^,?]{0,60},\s*"
)
_FILLERS = words_of(
    "please hi hello hey ok okay so and now well then also but kindly just yes no sure"
)
_POLITE = words_of("can could would will")
_SCENE = re.compile(r"\b(?:image|picture|photo|photograph|scene|visual)\b")
_OPEN = re.compile(
    r"what(?: is|'s|s)? (?:do|can) you (?:see|notice|observe)|what can be seen|"
    r"what(?: is|'s) (?:this|the) (?:photo|image|picture|photograph|scene) (?:about|of)|"
    r"what does (?:this|the) (?:photo|image|picture) (?:show|depict)|"
    r"what(?: is|'s) (?:happening |going on )?in (?:this|the) (?:photo|image|picture|scene)\W*$|"
    r"what are the key elements|what(?: is|'s) (?:shown|depicted|pictured)"
)
_SIDE = re.compile(
    r"^(?:(?:to|on|at|in|towards) )?(?:the )?(left|right|front|back|top)(?: hand)?(?: side)?\b"
)
_SIDES = {"left": "left of", "right": "right of", "front": "in front of"}
_MOST = 4  # words of a noun and what stands before it


def question_form(text: str) -> Path:
    """Return the form of a question or request, without what surrounds it.

    In languages other than English it is called by its first words.
    """
    lowered = text.lower().replace("\u2019", "'")
    words = _WORD.findall(lowered)
    if not words:
        return ("no instruction",)
    asked = "?" in text or "\uff1f" in text  # of Chinese, too
    if ENGLISH.isdisjoint(words):
        return _by_first_words(words, asked=asked)
    lowered, words = _without_lead(lowered, words)
    return _request(lowered, words) or _question(lowered, words) or (_any(asked),)


def _any(asked: bool) -> str:
    return "other question" if asked else "other instruction"


def _by_first_words(words: Sequence[str], *, asked: bool) -> Path:
    if len(words) < 3 or any(len(word) > 20 for word in words[:2]):
        return (_any(asked),)  # also of scripts without spaces
    return (f"{words[0]} {words[1]} …", f"{words[0]} …", _any(asked))


def _without_lead(text: str, words: list[str]) -> tuple[str, list[str]]:
    if words[0] in LEADS and "," in text:
        cut = _LEAD.sub("", text)
        if cut != text and cut:
            text, words = cut, _WORD.findall(cut)
    at = 0
    while at < len(words) - 1:
        rest = words[at + 1 :]
        polite = words[at] in _POLITE and rest[0] == "you"
        if words[at] in _FILLERS:
            at += 1
        elif polite and any(word in REQUESTS for word in rest[1:3]):
            at += 2
        else:
            break
    return text, words[at:]


def _request(text: str, words: Sequence[str]) -> Path | None:
    """Return the form of a request; None if it is a question."""
    verb = words[0]
    if verb not in REQUESTS:
        return None
    if verb in DESCRIBE or (verb in LOOK and DESCRIBE.intersection(words)):
        return DESCRIBED
    if verb in GIVE and DESCRIPTIONS.intersection(words):
        return DESCRIBED
    if verb in EXPLAIN and _SCENE.search(text):
        return DESCRIBED
    if verb == "tell" and ("about" in words or "see" in words):
        return DESCRIBED
    if verb == "count":
        return ("how many",)
    if verb in ("tell", "say", "explain", "answer", "determine", "identify", "name"):
        at = next((n for n, word in enumerate(words[1:5], 1) if word in WH), None)
        if at is not None:
            return _asked(words[at], words[at + 1 :], " ".join(words[at:]))
    if verb in LOCATE:
        return ("locate", "other instruction")
    return (verb, "other instruction")


def _question(text: str, words: Sequence[str]) -> Path | None:
    what = text.find("what")
    if what >= 0 and _OPEN.match(text, what):
        return DESCRIBED
    if words[0] in OPENERS:
        return _yes_or_no(words)
    at = next((n for n, word in enumerate(words[:3]) if word in WH), None)
    if at is None:
        at = next((n for n, word in enumerate(words) if word in INSIDE), None)
    if at is not None:
        return _asked(words[at], words[at + 1 :], " ".join(words[at:]))
    if len(words) > 1 and words[1] in OPENERS and "?" in text:
        return ("yes/no: statement", "yes/no")
    return None


def _yes_or_no(words: Sequence[str]) -> Path:
    verb = OPENERS[words[0]]
    if "or" in words[1:-1] and words[words.index("or") + 1] not in ("not", "no"):
        return ("either … or", "yes/no")
    if verb == "is" and len(words) > 1 and words[1] == "there":
        verb = "is there"
    return (f"yes/no: {verb}", "yes/no")


def _asked(word: str, rest: Sequence[str], text: str) -> Path:
    """Return the form of a question from its question word on."""
    word = word.replace("'", "")
    if word in ("whats", "whos", "wheres"):
        word, rest, text = word[:-1], ["is", *rest], f"{word[:-1]} is {text.partition(' ')[2]}"
    if word == "what":
        return _what(rest, text)
    if word == "which":
        return _which(rest)
    if word == "how":
        return _how(rest)
    return ("who",) if word in ("whose", "whom") else (word,)


def _what(rest: Sequence[str], text: str) -> Path:
    if not rest or rest[0] in DETERMINERS:
        return ("what",)
    verb = OPENERS.get(rest[0])
    if verb == "is":
        return _what_is(rest[1:], text.partition(f"{rest[0]} ")[2])
    if verb is not None:
        return (f"what {verb}", "what")
    return _of_noun("what", _before_verb(rest))


def _what_is(rest: Sequence[str], text: str) -> Path:
    side = _SIDE.match(text)
    if side:
        return (f"what is {_named_side(side[1])}", "what is", "what")
    bare = not rest or rest[0] not in DETERMINERS
    after = list(rest) if bare else list(rest[1:])
    if not after or after[0] in PRONOUNS:
        return ("what is", "what")
    if bare and (after[0] in PREPOSITIONS or after[0] in STATES):
        return (f"what is {after[0]}", "what is", "what")
    end = next((n for n, word in enumerate(after) if word in PREPOSITIONS), len(after))
    doing = next((n for n, word in enumerate(after[:end][:_MOST]) if _is_doing(word)), None)
    if doing is not None:
        return (f"what is … {after[doing]}", "what is", "what")
    use = next((word for word in after[: end + 1] if word in USES), None)
    if use is not None:
        return (f"what is … {use}", "what is", "what")
    phrase = _of_kind(after, end)
    while phrase and phrase[-1] in STATES:
        phrase.pop()
    if phrase[-1:] == ["number"] and end < len(after) and after[end] == "of":
        return ("how many",)
    return _of_noun("what", phrase) if len(phrase) > 0 else ("what is", "what")


def _named_side(side: str) -> str:
    return {"left": "left of", "right": "right of", "front": "in front of"}.get(
        side, f"at the {side}"
    )


def _is_doing(word: str) -> bool:
    return len(word) > 4 and word.endswith("ing") and word not in PLAIN_ING


def _of_kind(words: Sequence[str], end: int) -> list[str]:
    """Return the words of a noun that end at a preposition; "kind of dog" goes on behind it."""
    phrase = list(words[:end])
    if phrase and noun(phrase[-1]) in KINDS and words[end : end + 1] == ["of"]:
        inner = _before_verb(words[end + 1 :])
        return [phrase[-1], "of", *inner[-1:]]
    return phrase


def _before_verb(words: Sequence[str]) -> list[str]:
    """Return the words before the first verb or preposition; the first word if there is none."""
    ends = (n for n, word in enumerate(words) if word in OPENERS or word in PREPOSITIONS)
    end = next(ends, None)
    if words and noun(words[0]) in ATTRIBUTES:
        return [words[0]]
    if end is None or end > _MOST:
        return list(words[:1])
    return _of_kind(words, end)


def _of_noun(word: str, phrase: Sequence[str]) -> Path:
    if not phrase:
        return (word,)
    if len(phrase) == 3 and phrase[1] == "of":
        return (f"{word} kind of {noun(phrase[2])}", f"{word} kind of", word)
    head = noun(phrase[-1])
    if head in KINDS:
        return (f"{word} kind of", word)
    return (f"{word} {head}", word)


def _which(rest: Sequence[str]) -> Path:
    if not rest:
        return ("which",)
    if rest[0] in OPENERS:
        return (f"which {OPENERS[rest[0]]}", "which")
    if rest[0] == "of":
        return ("which of", "which")
    return _of_noun("which", _before_verb(rest))


def _how(rest: Sequence[str]) -> Path:
    if not rest:
        return ("how",)
    if rest[0] == "many":
        return ("how many",)
    return (f"how {OPENERS.get(rest[0], rest[0])}", "how")
