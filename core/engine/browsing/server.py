"""The server behind a browser: what a page of its own asks for, in JSON, and small pictures."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.browsing.about import about
from ig4.core.engine.browsing.access import HEADERS, refused
from ig4.core.engine.browsing.details import sample_cards, sample_detail
from ig4.core.engine.browsing.filters import SampleFilter
from ig4.core.engine.browsing.mapdensity import MapBox, MapPoints, map_part
from ig4.core.engine.browsing.whatif import WhatIfRequest, WhatIfResult
from ig4.core.engine.browsing.writing import (
    query_of,
    store_filtered,
    store_pin,
    store_whatif,
    text_of,
)
from ig4.core.engine.reporting.cards import numbers
from ig4.core.engine.reporting.packing import packed_array, plain_json
from ig4.core.engine.reporting.thumbnails import Thumbnails
from ig4.core.errors import Ig4Error, MissingExtraError, UsageError
from ig4.core.files.images.decode import ImageError
from ig4.core.secrets import redact
from ig4.storage import samples, selections
from ig4.storage.errors import StorageError
from ig4.storage.querying.query import run_query

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from ig4.core.engine.browsing.browsed import BrowsedSelection
    from ig4.core.engine.browsing.library import Library

Answer = Callable[["Request"], "Response | Mapping[str, Any]"]

MOST = 200
"""Samples in one answer."""

FAILED = (
    "ig4 browse failed at this, which is a fault of ig4: what happened is in the terminal in "
    "which it runs"
)
"""What a page is told of an error that nobody foresaw; what it was stays on this machine."""

QUERY_ROWS = 1_000
QUERY_SECONDS = 20.0
LONGEST_CELL = 10_000
"""Characters of a value of a query that are sent."""
LONGEST_RESULT = 4_000_000
"""Characters of all values of a query that are sent."""
LONGEST_BODY = 1 << 22
_SIDES = (96, 448)
_LOG = logging.getLogger(__name__)
_KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}


@dataclass(frozen=True, slots=True)
class Site:
    """What the server shows: the selections of a database, on a port; writing takes the token."""

    library: Library
    port: int
    token: str


def make_app(site: Site) -> Starlette:
    """Return the application.

    Raises:
        MissingExtraError: Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.middleware import Middleware
        from starlette.routing import Route
    except ImportError:
        raise MissingExtraError(
            'ig4 browse needs Starlette and uvicorn: pip install "ig4[browse]"'
        ) from None
    pages = _Pages(site)
    gets: dict[str, Answer] = {
        "/": pages.page,
        "/web/{name}": pages.web,
        "/api/about": pages.about,
        "/api/samples": pages.samples,
        "/api/histograms": pages.histograms,
        "/api/map": pages.map,
        "/api/sample/{row:int}": pages.sample,
        "/api/whatif": pages.whatif,
        "/api/query": pages.query,
        "/thumb/{row:int}/{which:int}": pages.thumb,
    }
    posts = {"/api/selections": pages.store_selection, "/api/pins": pages.store_pin}
    routes = [Route(path, _answered(answer)) for path, answer in gets.items()]
    routes += [Route(path, _stored(answer), methods=["POST"]) for path, answer in posts.items()]
    return Starlette(
        routes=routes,
        middleware=[Middleware(_Guard, site=site)],
        exception_handlers={HTTPException: _refusal},
    )


def _refusal(request: Request, error: Exception) -> Response:
    """Say as JSON, like everything else, that there is no such address or method."""
    return _json({"error": str(error.detail).lower()}, error.status_code)  # type: ignore[attr-defined]


class _Guard:
    """Refuses what may not ask before anything is looked at, and adds what every answer says."""

    def __init__(self, app: Any, site: Site) -> None:
        self.app = app
        self.site = site

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        from starlette.responses import JSONResponse

        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        writes = scope["method"] not in ("GET", "HEAD")
        why = refused(
            headers, self.site.port, writes=writes, token=self.site.token, path=scope["path"]
        )

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                names = {name for name, _ in own}
                kept = [pair for pair in message["headers"] if pair[0].lower() not in names]
                message = {**message, "headers": [*kept, *own]}
            await send(message)

        if why is None:
            await self.app(scope, receive, guarded)
        else:
            status, reason = why
            await JSONResponse({"error": reason}, status)(scope, receive, guarded)


def _answered(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Let a function answer a request in a thread."""
    from starlette.concurrency import run_in_threadpool

    async def answered(request: Request) -> Response:
        return await run_in_threadpool(_response, lambda: answer(request))

    return answered


def _stored(
    answer: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> Callable[[Request], Awaitable[Response]]:
    """Let a function store what a request has sent, as JSON."""
    from starlette.concurrency import run_in_threadpool

    def work(body: bytes) -> Response:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return _json({"error": "what was sent is not JSON"}, 400)
        if not isinstance(value, dict):
            return _json({"error": "what was sent is no JSON object"}, 400)
        if not _is_text(value):
            return _json({"error": "what was sent has half a character in it"}, 400)
        return _response(lambda: answer(value))

    async def stored(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LONGEST_BODY:
                return _json({"error": "too much was sent"}, 413)
        return await run_in_threadpool(work, body)

    return stored


def _is_text(value: Any) -> bool:
    """Tell whether all text of a value can be stored: JSON may have half a pair of surrogates."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _response(answer: Callable[[], Response | Mapping[str, Any]]) -> Response:
    """Return an answer; what a user can cause becomes a message, and anything else is logged."""
    from starlette.responses import Response

    try:
        made = answer()
        return made if isinstance(made, Response) else _json(made)
    except (Ig4Error, StorageError) as error:
        return _json({"error": redact(str(error))}, 400)
    except Exception:  # noqa: BLE001 - a page waits for an answer, whatever went wrong
        _LOG.exception("a request cannot be answered")
        return _json({"error": FAILED}, 500)


def _json(value: Mapping[str, Any], status: int = 200) -> Response:
    from starlette.responses import Response

    return Response(plain_json(value), status, media_type="application/json")


@dataclass(frozen=True, slots=True)
class _Pages:
    """The answers, each to one kind of question."""

    site: Site

    def _selection(self, request: Request) -> BrowsedSelection:
        return self.site.library.get(request.query_params.get("selection", ""))

    def page(self, request: Request) -> Response:
        return _file("browse.html")

    def web(self, request: Request) -> Response:
        return _file(request.path_params["name"])

    def about(self, request: Request) -> Mapping[str, Any]:
        fresh = request.query_params.get("fresh") == "1"
        if fresh:
            self.site.library.forget()
        return about(self.site.library, self._selection(request))

    def samples(self, request: Request) -> Mapping[str, Any]:
        browsed = self._selection(request)
        query = dict(request.query_params)
        rows = browsed.rows(SampleFilter.from_query(query))
        start = _number(query, "offset", 0)
        part = rows[start : start + min(MOST, _number(query, "limit", 60))].tolist()
        return {"total": len(rows), "offset": start, "cards": sample_cards(browsed, part)}

    def histograms(self, request: Request) -> Mapping[str, Any]:
        browsed = self._selection(request)
        return browsed.histograms(SampleFilter.from_query(dict(request.query_params)))

    def map(self, request: Request) -> Mapping[str, Any]:
        browsed = self._selection(request)
        query = dict(request.query_params)
        if browsed.places is None or browsed.map is None:
            return {"kind": "none"}
        wanted = SampleFilter.from_query(query)
        mask = browsed.mask(wanted)
        part = map_part(browsed.places, mask, browsed.view.rank > 0, _box(query))
        if isinstance(part, MapPoints):
            places = browsed.places[part.rows]
            return {
                "kind": "points",
                "rows": packed_array(part.rows.astype("<i4")),
                "x": packed_array(places[:, 0].astype("<f4")),
                "y": packed_array(places[:, 1].astype("<f4")),
                "selected": packed_array(part.selected.astype("u1")),
            }
        cells = np.flatnonzero(part.everyone)
        return {
            "kind": "density",
            "cells": packed_array(cells.astype("<i4")),
            "everyone": packed_array(part.everyone.ravel()[cells].astype("<i4")),
            "selected": packed_array(part.selected.ravel()[cells].astype("<i4")),
        }

    def sample(self, request: Request) -> Mapping[str, Any]:
        browsed = self._selection(request)
        return sample_detail(browsed, self._row(browsed, request))

    def _row(self, browsed: BrowsedSelection, request: Request) -> int:
        row = int(request.path_params["row"])
        if row >= len(browsed.view):
            raise UsageError(f"there is no row {row:,}: the data set has {len(browsed.view):,}")
        return row

    def whatif(self, request: Request) -> Mapping[str, Any]:
        browsed = self._selection(request)
        query = dict(request.query_params)
        asked = whatif_request(query)
        result = browsed.whatif.select(asked)
        most = min(MOST, _number(query, "limit", 40))
        return {
            "size": len(result.rows),
            "entered": len(result.entered),
            "left": len(result.left),
            "line": None if browsed.view.deals_by_cluster else result.lines.get(0),
            "enteredCards": _cards_then(browsed, result, result.entered[:most]),
            "leftCards": _cards_then(browsed, result, result.left[::-1][:most]),
            "groups": _group_counts(browsed, result.rows),
        }

    def query(self, request: Request) -> Mapping[str, Any]:
        sql = request.query_params.get("sql", "")
        store = self.site.library.session.store
        with run_query(store.engine.url, sql, timeout=QUERY_SECONDS) as result:
            rows: list[list[Any]] = []
            sent = cut = 0
            more = False
            for row in result.rows:
                if len(rows) == QUERY_ROWS or sent > LONGEST_RESULT:
                    more = True
                    break
                cells = [_cell(value) for value in row]
                cut += sum(isinstance(one, str) and len(one) > LONGEST_CELL for one in cells)
                rows.append([one[:LONGEST_CELL] if isinstance(one, str) else one for one in cells])
                sent += sum(len(one) for one in rows[-1] if isinstance(one, str))
            return {"columns": list(result.columns), "rows": rows, "more": more, "cut": cut}

    def store_selection(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Store the samples of a filter, or those of other weights, by a name if one is given.

        `known` says whether they were stored before, which stores nothing anew, and `replaced`
        the name that they lose by that.
        """
        name, note = text_of(value, "name"), text_of(value, "note")
        what = "whatif" if "whatif" in value else "filter"
        query = query_of(value, what)
        browsed = self.site.library.get(query.get("selection", ""))
        before = _names(browsed)
        if what == "whatif":
            made = store_whatif(browsed, whatif_request(query), name, note)
        else:
            made = store_filtered(browsed, SampleFilter.from_query(query), name, note)
        old = before.get(made.id)
        return {
            "selection": made.id,
            "name": made.name,
            "size": len(made),
            "known": made.id in before,
            "replaced": old if old != made.name else None,
        }

    def store_pin(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep a sample in every selection that uses pins, out of it, or neither."""
        row = value.get("row")
        if not isinstance(row, int) or isinstance(row, bool):
            raise UsageError("row is no number")
        browsed = self.site.library.get(str(value.get("selection", "")))
        pin = text_of(value, "pin") or ""
        store_pin(browsed, row, pin, text_of(value, "note"))
        return {"row": row, "pin": pin}

    def thumb(self, request: Request) -> Response:
        from starlette.responses import Response

        browsed = self._selection(request)
        row, which = self._row(browsed, request), int(request.path_params["which"])
        side = _number(dict(request.query_params), "side", _SIDES[0])
        if side not in _SIDES:
            raise UsageError(f"side={side}: pictures have {' or '.join(map(str, _SIDES))} pixels")
        store = browsed.session.store
        with store.reading() as connection:
            (stored,) = samples.by_id(connection, [int(browsed.view.sample_ids[row])])
        if which >= len(stored.images):
            return _json({"error": "there is no such image"}, 404)
        try:
            data = Thumbnails.of(store, side).get(stored.images[which])
        except ImageError as error:
            return _json({"error": redact(str(error))}, 404)
        return Response(data, media_type="image/webp")


def whatif_request(query: Mapping[str, str]) -> WhatIfRequest:
    """Return what `size`, `scale` and `weight.NAME` of an address ask for.

    Raises:
        UsageError: a weight is no number.
    """
    weights = {}
    for name, value in query.items():
        if name.startswith("weight."):
            try:
                weights[name.removeprefix("weight.")] = float(value)
            except ValueError:
                raise UsageError(f"{name}={value!r} is no number") from None
    if not all(map(np.isfinite, weights.values())):
        raise UsageError("a weight is not finite")
    size = _number(query, "size", 0) or None
    return WhatIfRequest(size, weights, query.get("scale") or None)


def _cards_then(
    browsed: BrowsedSelection, result: WhatIfResult, rows: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Return the cards of samples, with what each would be: its F(x), its rank, its line."""
    peers = browsed.view.peers[rows].tolist()
    return [
        {
            **card,
            "then": {
                "final": final,
                "rank": result.ranks.get(card["row"], 0),
                "line": result.lines.get(peer),
            },
        }
        for card, final, peer in zip(
            sample_cards(browsed, rows.tolist()), numbers(result.scores[rows]), peers, strict=True
        )
    ]


def _group_counts(browsed: BrowsedSelection, rows: NDArray[np.int64]) -> list[list[Any]]:
    """Return by group its name, and how many samples are selected now and would be."""
    groups = browsed.view.groups
    if groups is None:
        return []
    now, then = groups.take(browsed.view.selected).counts, groups.take(rows).counts
    order = np.argsort(-groups.counts, kind="stable")[:20].tolist()
    return [[groups.names[n], int(now[n]), int(then[n])] for n in order]


def _names(browsed: BrowsedSelection) -> dict[int, str | None]:
    """Return the names of the selections of a data set, by number."""
    with browsed.session.store.reading() as connection:
        listed = selections.list_all(connection, browsed.view.dataset.id)
    return {one.row.id: one.row.name for one in listed}


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    value = query.get(name, "")
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 12):
        raise UsageError(f"{name}={value!r} is no number")
    return int(value)


def _box(query: Mapping[str, str]) -> MapBox:
    text = query.get("box", "")
    if not text:
        return MapBox()
    try:
        left, bottom, right, top = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"box={text!r} is not four numbers with commas") from None
    if not (left < right and bottom < top):
        raise UsageError(f"box={text!r} has no room in it")
    return MapBox(left, bottom, right, top)


def _cell(value: Any) -> Any:
    """Return a value of a query as JSON has it."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    if isinstance(value, (bytes, memoryview)):
        return f"<{len(value):,} bytes>"
    return str(value)


def _file(name: str) -> Response:
    """Return a file of `web/`, by its plain name."""
    from starlette.responses import Response

    known = {one.name: one for one in resources.files("ig4.web").iterdir()}
    kind = _KINDS.get(f".{name.rpartition('.')[2]}")
    if name not in known or kind is None:
        return _json({"error": "there is no such file"}, 404)
    return Response(known[name].read_bytes(), media_type=f"{kind}; charset=utf-8")
