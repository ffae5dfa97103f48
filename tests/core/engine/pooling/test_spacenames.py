"""Names of spaces: one, or several with weights."""

from __future__ import annotations

import pytest

from ig4.core.engine.pooling.spacenames import all_parts, check_space_name, space_parts
from ig4.core.errors import UsageError


def test_a_name_alone_is_one_space():
    assert space_parts("clip") == {"clip": 1.0}
    assert space_parts("clip=0.2") == {"clip": 1.0}


def test_weights_are_brought_to_a_sum_of_one():
    assert space_parts("clip=7, text=3") == {"clip": 0.7, "text": 0.3}
    assert space_parts("clip,text") == {"clip": 0.5, "text": 0.5}


@pytest.mark.parametrize(
    "space", ["", ",", "clip,", "clip,clip", "clip=", "clip=x", "clip=0", "clip=-1", "clip=nan"]
)
def test_what_is_no_name_is_refused(space):
    with pytest.raises(UsageError, match="space"):
        space_parts(space)


def test_all_parts_are_named_once():
    assert all_parts(["clip", "clip=0.7,text=0.3", "text"]) == ("clip", "text")


@pytest.mark.parametrize("name", ["", " ", "a,b", "a=1", " a"])
def test_a_name_that_would_mean_several_spaces_cannot_be_given(name):
    with pytest.raises(UsageError, match="cannot be called"):
        check_space_name(name)
