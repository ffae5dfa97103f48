# ruff: noqa: RUF001 - marks of many scripts are what this is about
"""How a text ends, by its last characters and by how its earlier sentences, lines and items end.

Nothing is known of the language but marks of punctuation and, for a few languages, words after
which no sentence can end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ig4.plugins.scorers.hygiene.texts import word_count


@dataclass(frozen=True, slots=True)
class End:
    """How a text ends: 1 (it does), 0 (it breaks off) or 0.5 (who knows), and why if not 1.

    `only_mark` says that nothing but the missing mark at the end speaks against it.
    """

    value: float
    why: str = ""
    only_mark: bool = False


ENDS = End(1.0)

# The marks that end a sentence, of many scripts; the Greek question mark is the first by number.
_FINAL = ".!?。！？．｡؟۔।॥։።፧។။᙮᠃᠉׃‽⁇⁈⁉…‥\u037e\u0589\u0964\u0965"
_FINALS = frozenset(_FINAL)
_CLOSERS = "\"'”’»›)]}）］｝」』】》〉*_~`“„"
_GOES_ON = ",;:–—-/\\=+&<([{«„‘，、；：،؛「『（【《|"
_PAIRS = tuple(zip("([{（【「『《“", ")]}）】」』》”", strict=True))

_ITEM = re.compile(r"(?:[-*•·●▪‣–]|\(?(?:\d{1,3}|[A-Za-z])[.)])(?:\s+|$)")
_ONLY_NUMBERED = re.compile(r"(?:\d{1,3}[.)]|[-*•●▪])")
_CODE = re.compile(
    r"[{};]\s*$"
    r"|^[^\S\n]*(?:def|class|import|from|return|if|for|while|#include|<\w+)\b.*[:>(]?$",
    re.M,
)
_FACE = re.compile(r"\(:|[:;=8][-']?[()\[\]DPp/\\|*]|<3|\^_?\^")
_ADDRESS = re.compile(r"https?://|www\.|[\w.]@[\w-]+\.")
_SENTENCE_END = re.compile(
    r"(?:[^\W\d_]{3}|\d{3}|[%)\]\"”’»])[.!?…]+[\"')\]”’»]*\s+(?=[^\W\d_a-z]|[\"'(“«])|[。！？．؟۔।॥።។။]"
)
_ABBREVIATION = re.compile(
    r"\b(?:mrs|inc|ltd|etc|vol|fig|prof|approx|dept|gen|rev|capt|col|sgt|nos|ave|blvd|univ|corp|jan|feb|aug|sept|oct|nov|dec)\.\s*$",
    re.I,
)

_OPEN_WORDS = frozenset({
    # After these no sentence ends in any of these languages: articles, conjunctions, possessives.
    "the", "an", "and", "or", "nor", "if", "than", "because", "although", "whereas", "their",
    "its", "my", "your", "our", "whose",
    "der", "dem", "des", "einen", "einem", "einer", "und", "oder", "weil", "dass",
    "les", "une", "et", "dans", "que", "el", "los", "las", "del", "pero", "para",
    "il", "gli", "della", "het", "een",
})  # fmt: skip

# A tokenizer's own marks, backwards, lest the search begin anew at every space of a text.
_LEFTOVER = re.compile(r"(?:>s/<|>\|[a-z_]{1,20}\|<|\s)*")
_SHORT = 12  # words of a phrase that needs no mark: "a man riding a horse on the beach"
_LINE = 4  # words of a last line that may be a heading, a signature, an answer


def end_of(text: str) -> End:
    """Return how a text that is not blank ends."""
    text = _LEFTOVER.sub("", text[::-1], count=1)[::-1].strip()
    if not text:
        return End(0.0, "there is nothing but a tokenizer's marks")
    if (fences := text.count("```")) and fences % 2:
        return End(0.0, "a block of code is not closed")
    last = text[text.rfind("\n") + 1 :].strip()
    if last.endswith("```") or _is_symbol(last[-1]):
        return ENDS
    if _ONLY_NUMBERED.fullmatch(last) and last != text:
        return End(0.0, "the last item of a list is empty")
    if unclosed := _unclosed(text if text[0] in "{[" else last):
        return End(0.0, f"{unclosed} is not closed")
    core = last.rstrip(_CLOSERS)
    if not core or core[-1] in _FINAL:
        return _after_mark(core, text)
    if _is_symbol(core[-1]) or _ADDRESS.search(last.split()[-1]) or "\\" in core[-3:]:
        return ENDS
    if core[-1] in _GOES_ON and not _goes_on_rightly(last, core, text):
        return End(0.0, f"it ends with {core[-1]}")
    return _without_mark(text, last, core)


def has_mark(text: str) -> bool:
    """Tell whether a text ends with a mark that ends a sentence, quoted or not."""
    return text.rstrip().rstrip(_CLOSERS)[-1:] in _FINALS


def _after_mark(core: str, text: str) -> End:
    if core.endswith(("...", "…")) and word_count(text) > 1:
        return End(0.5, "it ends with dots")
    return ENDS


def _is_symbol(character: str) -> bool:
    """Tell whether a character is an emoji or another sign that stands for itself."""
    return (
        "\u2190" <= character <= "\u2bff"
        or "\U0001f000" <= character <= "\U0001faff"
        or character in "\ufe0f\u200d\u20e3%°$€£¥©®™♪"
    )


def _unclosed(last: str) -> str:
    """Return the bracket or quotation mark that the last line opens and does not close."""
    if not any(pair[0] in last for pair in _PAIRS):
        return ""
    plain = _FACE.sub("", last)
    if "„" in plain:
        plain = plain.replace("“", "")  # which closes in German
    for opening, closing in _PAIRS:
        if plain.count(opening) > plain.count(closing):
            return opening
    return ""


def _goes_on_rightly(last: str, core: str, text: str) -> bool:
    """Tell whether a mark after which texts go on may end this one: code, tables, faces, C++."""
    if len(core) < len(last) and core[-1] in ";-":
        return True  # inside quotation marks or brackets
    if _FACE.search(last[-3:]):
        return True
    if core[-1] == "|":
        return last.startswith("|") or last.count("|") > 1
    if core[-1] in "+-":
        return len(core) > 1 and core[-2] not in " -" and (core[-1] == "+" or word_count(core) == 1)
    if core[-1] in ";:" and len(_CODE.findall(text)) > 1:
        return core[-1] == ";"
    return False


def _without_mark(text: str, last: str, core: str) -> End:
    """Return how a text ends whose last sentence has no mark."""
    many = word_count(core)
    final = core[core.rfind(" ") + 1 :].strip("\"'“‘(").lower()
    if many >= 2 and final in _OPEN_WORDS:
        return End(0.0, f"it ends with the word {final}")
    if _is_code(text, last):
        return ENDS
    if _ITEM.match(last):
        return _of_item(text, last)
    if _sentences(core):
        return End(0.0, "its last sentence has no end, and the ones before have", only_mark=True)
    if not many or not (core[-1].isalpha() or core[-1].isdigit()) or not _has_marks(core[-1]):
        return ENDS
    if last != text and many > _LINE and not core[-1].isdigit() and _earlier_end(text):
        return End(0.0, "its last line has no end, and the ones before have", only_mark=True)
    if many > _SHORT:
        return End(0.5, "a long sentence without an end", only_mark=True)
    return ENDS


def _is_code(text: str, last: str) -> bool:
    return len(_CODE.findall(text)) > 1 or (
        len(last) > 1 and last[0] in "<\\$" and last[-1] in ">$}"
    )


def _of_item(text: str, last: str) -> End:
    """Return how a list ends: its last item as the ones before."""
    before = [line for line in map(str.strip, text.split("\n")[:-1]) if _ITEM.match(line)]
    if len(before) > 1 and all(line.rstrip(_CLOSERS)[-1:] in _FINAL for line in before):
        return End(0.0, "the last item of a list has no end, and the ones before have")
    return ENDS


def _sentences(core: str) -> bool:
    """Tell whether a line has a sentence that ends before its last one.

    A single word ("Yes. It is a dog") is none, and a question with its answer ("A dog? Yes") ends.
    """
    ends = [
        found.end()
        for found in _SENTENCE_END.finditer(core)
        # From a little before, as three letters are enough to find the end of a sentence.
        if not _ABBREVIATION.search(core, max(0, found.start() - 8), found.end())
    ]
    if not ends or word_count(core[: ends[-1]]) < 2:
        return False
    asked = core[: ends[-1]].rstrip().rstrip(_CLOSERS).endswith(("?", "？", "؟"))
    return not (asked and word_count(core[ends[-1] :]) <= _LINE)


def _earlier_end(text: str) -> bool:
    """Tell whether most of the lines before the last end with a mark."""
    before = [line.strip() for line in text.split("\n")[:-1] if word_count(line) > _LINE]
    ended = sum(line.rstrip(_CLOSERS)[-1:] in _FINAL for line in before)
    return ended * 2 > len(before)


def _has_marks(character: str) -> bool:
    """Tell whether the script of a character has marks that end a sentence: Thai has none."""
    return not "\u0e00" <= character <= "\u0fff"
