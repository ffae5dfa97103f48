"""Colours that people with any colour vision can tell apart (Okabe and Ito 2008)."""

from __future__ import annotations

SELECTED = "#0072B2"
"""Blue: what was selected, the first of two."""

REST = "#8C8C8C"
"""Grey, of a contrast above 3:1 on white and on the dark theme: all others."""

ACCENT = "#D55E00"
"""Vermilion: the line, the second of two, what went wrong."""

SERIES = (SELECTED, ACCENT, "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""For series that are equals; each has a dash and a shape of its own as well."""

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [1, 3])
SHAPES = ("circle", "diamond", "square", "triangle-up", "triangle-down", "cross")
