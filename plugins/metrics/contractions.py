"""The contractions that VQA's evaluation writes with an apostrophe (github.com/GT-Vision-Lab/VQA).

The table has the original's errors, which decide what matches: "somebody'd" loses its apostrophe,
and words that begin with a capital are never found, because texts are lower-cased first.
"""

from __future__ import annotations

_PLAIN = (
    "ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's "
    "how'd how'll how's isn't it'd it'll ma'am mightn't might've mustn't must've needn't not've "
    "o'clock oughtn't shan't should've shouldn't somebody'll somebody's someone'd someone'll "
    "someone's something'd something'll that's there'd there're there's they'd they'll they're "
    "they've 'twas wasn't we've weren't what'll what're what's what've when's where'd where's "
    "where've who'd who'll who's who've why'll why're why's won't would've wouldn't y'all you'd "
    "you'll you're you've"
)
_DOUBLE = (
    "couldn't've hadn't've he'd've it'd've mightn't've she'd've shouldn't've somebody'd've "
    "someone'd've something'd've there'd've they'd've we'd've who'd've wouldn't've you'd've"
)


def _table() -> dict[str, str]:
    found = {word.replace("'", ""): word for word in _PLAIN.split()}
    for word in _DOUBLE.split():
        first, _, last = word.rpartition("'")
        found[f"{first.replace(chr(39), '')}'{last}"] = word  # couldnt've
        found[first + last] = word  # couldn'tve
    found |= {
        "somebody'd": "somebodyd",
        "ow's'at": "'ow's'at",
        "'ows'at": "'ow's'at",
        "'ow'sat": "'ow's'at",
        "yall'll": "y'all'll",
        "y'allll": "y'all'll",
        "yall'd've": "y'all'd've",
        "y'alld've": "y'all'd've",
        "y'all'dve": "y'all'd've",
    }
    return found


CONTRACTIONS = _table()
"""Words as people may write them, and as they are compared."""
