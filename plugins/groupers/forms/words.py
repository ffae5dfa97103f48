"""The words by which questions and requests in English are told apart."""

from __future__ import annotations

import re


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


OPENERS = {
    "is": "is", "are": "is", "was": "is", "were": "is", "am": "is", "isn't": "is", "aren't": "is",
    "wasn't": "is", "weren't": "is", "do": "does", "does": "does", "did": "does", "don't": "does",
    "doesn't": "does", "didn't": "does", "can": "can", "could": "can", "can't": "can",
    "couldn't": "can", "has": "has", "have": "has", "had": "has", "hasn't": "has",
    "haven't": "has", "will": "will", "would": "would", "won't": "will", "wouldn't": "would",
    "should": "should", "shouldn't": "should", "may": "may", "might": "may", "must": "must",
}  # fmt: skip
"""The verbs that open a question for yes or no, and what each is called in the name of a group."""

WH = words_of("what what's whats which how who who's whose whom where where's when why")
"""The words that ask."""

INSIDE = words_of("what which how")
"""Those that ask also inside of a sentence, where the others join clauses."""

PREPOSITIONS = words_of(
    "on in at to of under behind above below beneath underneath near between among around "
    "inside outside next left right beside besides beyond over front with without by from for "
    "across against along off through into onto like about that which who there here when while "
    "if and or closest close adjacent opposite"
)
"""The words at which the noun that is asked for has ended."""

DETERMINERS = words_of("the a an this that these those his her their its your my our some any all")

PRONOUNS = words_of("it he she they you we i one")

STATES = words_of(
    "found placed kept stuck hanging hanged hung present seen written shown visible located "
    "happening going depicted displayed pictured attached covered mounted lying sitting "
    "standing wrong unusual special different missing wrong unique funny interesting"
)
"""What follows "what is" without a noun: "what is written"."""

USES = words_of("used made called named known for")
"""What ends a question about a thing: "what is this used for"."""

PLAIN_ING = words_of(
    "thing things something anything nothing everything building buildings ceiling king ring "
    "wing string clothing morning evening wedding painting paintings railing awning lighting "
    "frosting topping meaning spring siding crossing dressing drawing drawings setting icing"
)
"""Nouns that look like what somebody is doing."""

ATTRIBUTES = words_of(
    "color shape size sport animal time day year number room letter word country material "
    "direction season breed style language name brand position food fruit object company city "
    "month age sign person vehicle activity pattern part side"
)
"""Nouns that are asked for although another one may follow: "what color hat"."""

LEADS = words_of("in from on at based according looking considering given for as")
"""Words that open a phrase before a question: "in this image, …"."""

KINDS = words_of("kind type sort")
"""Nouns that ask for a kind of the noun after "of"."""

REQUESTS = words_of(
    "describe caption summarize summarise elaborate depict narrate portray characterize analyze "
    "analyse illustrate explain give provide write generate create compose share present render "
    "offer make produce craft draft deliver supply tell say list identify name count find "
    "locate detect point read recognize recognise compare discuss translate solve answer "
    "convert extract classify imagine suggest choose select determine look observe examine view "
    "take transcribe show mention state report help draw predict estimate calculate"
)
"""The verbs that open a request."""

DESCRIBE = words_of(
    "describe caption summarize summarise elaborate depict narrate portray characterize illustrate"
)
DESCRIPTIONS = words_of(
    "description descriptions caption captions summary account overview explanation "
    "interpretation portrayal depiction analysis breakdown rundown narrative sketch impression "
    "paragraph describing details"
)
GIVE = words_of(
    "give provide write generate create compose share present render offer make produce craft "
    "draft deliver supply explain"
)
EXPLAIN = words_of("explain analyze analyse examine")
LOOK = words_of("take look observe examine view")
LOCATE = words_of("find locate detect point")

ENGLISH = WH | DETERMINERS | REQUESTS | frozenset(OPENERS) | words_of("of and in on it you for")
"""A text without any of these is taken to be in another language."""

SPELLINGS = {
    "colour": "color", "colours": "color", "colors": "color", "people": "person",
    "things": "object", "thing": "object", "movies": "movie", "cookies": "cookie", "ties": "tie",
    "species": "species", "series": "series",
}  # fmt: skip
"""Nouns that groups are called otherwise by than the rules would say."""

_SAME = re.compile(r"(ss|us|is|as|ies)$")


def noun(word: str) -> str:
    """Return a noun as groups are called by it: in American spelling, in the singular."""
    known = SPELLINGS.get(word)
    if known is not None:
        return known
    if len(word) < 4 or not word.endswith("s") or _SAME.search(word):
        return word[:-3] + "y" if word.endswith("ies") and len(word) > 4 else word
    return word[:-1]
