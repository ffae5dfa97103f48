"""Makes pools of conversations for the tests of groupers."""

from __future__ import annotations

import json

from ig4.core.records import Image, Sample, Turn
from ig4.core.testing import ArrayPoolData, make_pool

PICTURE = (Image(None),)


def sample(*pairs, images=PICTURE, record=None):
    """Return a sample of questions and answers, on one image."""
    turns = [
        turn
        for question, answer in pairs
        for turn in (Turn("user", question), Turn("assistant", answer))
    ]
    instruction = "\n".join(question for question, _ in pairs)
    answer = "\n".join(answer for _, answer in pairs)
    raw = None if record is None else json.dumps(record)
    return Sample("x", instruction, answer, tuple(turns), images, raw=raw)


def group(grouper, samples=(), meta=(), **more):
    """Return the groups that a grouper makes of samples, or of what is told of them."""
    data = ArrayPoolData(max(len(samples), len(meta)), samples=samples, meta=meta, **more)
    return grouper.group(make_pool(data, grouper.needs()))


def sizes(groups):
    """Return the sizes of groups by name."""
    return dict(zip(groups.names, groups.counts.tolist(), strict=True))


def names_of(groups):
    """Return the name of the group of each row."""
    return [None if label < 0 else groups.names[label] for label in groups.labels.tolist()]
