"""What explanations are made of."""

from __future__ import annotations

import json
import math

import numpy as np

from ig4.core.engine.selecting.explain import plain_json, with_ids


def test_what_a_plugin_says_becomes_plain_json():
    said = {"a": np.float32(0.5), "b": np.int64(3), "c": [np.bool_(True), math.nan], "d": {1: None}}
    assert plain_json(said) == {"a": 0.5, "b": 3, "c": [True, None], "d": {"1": None}}
    assert json.dumps(plain_json(said), allow_nan=False)
    assert plain_json(np.arange(3)) == [0, 1, 2]
    assert plain_json(object).startswith("<class")


def test_rows_that_reasons_name_become_ids_of_samples():
    def named(rows):
        return [f"s{row}" for row in rows]

    said = {"nearest_row": 3, "lowered_by_rows": [0, 2], "first_row": None, "seen_rows": [], "k": 3}
    assert with_ids(said, named) == {
        "nearest": "s3", "lowered_by": ["s0", "s2"], "first": None, "seen": [], "k": 3,
    }  # fmt: skip


def test_what_only_looks_like_rows_stays_as_it_is():
    said = {"x_row": True, "y_row": "one", "z_rows": 4, "v_rows": [0.5]}
    assert with_ids(said, lambda rows: ["never"] * len(rows)) == said
