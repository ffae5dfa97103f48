"""What explanations are made of."""

from __future__ import annotations

import json
import math

import numpy as np

from ig4.core.engine.selecting.explain import plain_json


def test_what_a_plugin_says_becomes_plain_json():
    said = {"a": np.float32(0.5), "b": np.int64(3), "c": [np.bool_(True), math.nan], "d": {1: None}}
    assert plain_json(said) == {"a": 0.5, "b": 3, "c": [True, None], "d": {"1": None}}
    assert json.dumps(plain_json(said), allow_nan=False)
    assert plain_json(np.arange(3)) == [0, 1, 2]
    assert plain_json(object).startswith("<class")
