"""Puts the objects of a PDF into an order that depends on nothing but what is in them.

The writer of vl-convert numbers fonts in the order of a hash table, which differs from call to
call: equal charts would be different files.
"""

from __future__ import annotations

import re

_OBJECT = re.compile(rb"(\d+) 0 obj\n")
_REFERENCE = re.compile(rb"\b(\d+) 0 R\b")
_TABLE = re.compile(rb"/(Font|XObject|ExtGState|ColorSpace|Pattern|Shading) <<\n(.*?)\n\s*>>", re.S)
_START = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*$")
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])")
_STREAM = b"stream\n"


def in_order(pdf: bytes) -> bytes:
    """Return the same document with its objects numbered by the way from its root to them.

    What is not a plain PDF (a table of objects at its end, every object on lines of its own) is
    returned as it is.
    """
    found = _objects(pdf)
    if found is None:
        return pdf
    head, objects, trailer = found
    numbers: dict[int, int] = {}
    waiting = [int(one) for one in reversed(_REFERENCE.findall(trailer))]
    while waiting:
        number = waiting.pop()
        if number in numbers or number not in objects:
            continue
        numbers[number] = len(numbers) + 1
        before, _ = objects[number]
        waiting += [int(one) for one in reversed(_REFERENCE.findall(before))]

    def renumbered(text: bytes) -> bytes:
        return _REFERENCE.sub(lambda m: b"%d 0 R" % numbers.get(int(m[1]), 0), text)

    written, places = bytearray(head), []
    for number, new in numbers.items():
        places.append(len(written))
        before, stream = objects[number]
        written += b"%d 0 obj\n%s%s\n\n" % (new, renumbered(before), stream)
    start, count = len(written), len(places) + 1
    written += b"xref\n0 %d\n0000000000 65535 f\r\n" % count
    written += b"".join(b"%010d 00000 n\r\n" % place for place in places)
    trailer = re.sub(rb"/Size \d+", b"/Size %d" % count, renumbered(trailer))
    written += b"trailer\n%s\nstartxref\n%d\n%%%%EOF" % (trailer.strip(), start)
    return bytes(written)


def _objects(pdf: bytes) -> tuple[bytes, dict[int, tuple[bytes, bytes]], bytes] | None:
    """Return the head, by number what is before and in the stream of an object, and the trailer."""
    last = _START.search(pdf)
    if last is None:
        return None
    table, marker, rest = pdf[int(last[1]) :].partition(b"trailer")
    if not table.startswith(b"xref") or not marker:
        return None
    places = sorted(int(m[1]) for m in _ENTRY.finditer(table) if m[3] == b"n")
    ends = [*places[1:], int(last[1])]
    objects: dict[int, tuple[bytes, bytes]] = {}
    for place, end in zip(places, ends, strict=True):
        match = _OBJECT.match(pdf, place)
        if match is None:
            return None
        before, sign, stream = pdf[match.end() : end].rstrip(b"\n").partition(_STREAM)
        objects[int(match[1])] = _TABLE.sub(_sorted_table, before), sign + stream
    trailer = rest[: rest.index(b"startxref")]
    return pdf[: places[0]], objects, trailer


def _sorted_table(match: re.Match[bytes]) -> bytes:
    """Return a table of resources with its names in order."""
    lines = match[2].split(b"\n")
    end = match[0][match[0].rindex(b"\n") :]
    return b"/%s <<\n%s%s" % (match[1], b"\n".join(sorted(lines)), end)
