"""An HTTP server on loopback that serves folders, as badly as a test asks for."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

KINDS = {".jpg": "image/jpeg", ".png": "image/png", ".json": "application/json"}


@dataclass
class FileServer:
    """Serves `folder` at `/`, and what `answers` has at other paths.

    `faults` is the share of requests that go wrong, drawn with a seed: half of them are answers 500
    or 503, the others connections that break in the middle. Of what is asked for, `requests` has
    (method, path with query, headers), of what was answered with 304 `unchanged` the path. Without
    `conditional` such requests are answered in full; with `modified` (a date) versions are dates,
    which answers with 304 have if they are `dated`.
    """

    folder: Path
    faults: float = 0.0
    ranges: bool = True
    delay: float = 0.0
    heads: bool = True
    etag: str | None = None
    conditional: bool = True
    modified: str | None = None
    dated: bool = True
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    spoiled: Counter[str] = field(default_factory=Counter)
    port: int = 0
    _draw: random.Random = field(default_factory=lambda: random.Random(7))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """The address of the folder, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def fault(self) -> str | None:
        """Draw what goes wrong with a request."""
        with self._lock:
            if self._draw.random() >= self.faults:
                return None
            kind = self._draw.choice(("500", "503", "cut", "cut"))
            self.spoiled[kind] += 1
            return kind


@contextmanager
def serving(folder: Path, **settings: object) -> Iterator[FileServer]:
    """Serve a folder while the block runs."""
    state = FileServer(folder, **settings)  # type: ignore[arg-type]

    class Handler(_Handler):
        server_state = state

    server = _Server(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: FileServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        pass

    def do_HEAD(self) -> None:
        self._answer(send=False)

    def do_GET(self) -> None:
        self._answer(send=True)

    def _answer(self, *, send: bool) -> None:
        state = self.server_state
        state.requests.append((self.command, self.path, dict(self.headers)))
        path = urlsplit(self.path).path
        if path in state.answers:
            state.answers[path](self)
            return
        if self.command == "HEAD" and not state.heads:
            self.simple(405, b"")
            return
        time.sleep(state.delay)
        fault = state.fault()
        if fault in ("500", "503"):
            self.simple(int(fault), b"busy")
            return
        file = (state.folder / unquote(path).lstrip("/")).resolve()
        if not file.is_relative_to(state.folder.resolve()) or not file.is_file():
            self.simple(404, b"none")
            return
        self._send_file(file, send=send, cut=fault == "cut")

    def _send_file(self, file: Path, *, send: bool, cut: bool) -> None:
        data = file.read_bytes()
        etag = self.server_state.etag or f'"{hashlib.md5(data).hexdigest()}"'
        if self._has_version(etag):
            self.server_state.unchanged.append(self.path)
            date = self.server_state.modified
            dated = {"Last_Modified": date} if date and self.server_state.dated else {}
            self.simple(304, b"", **(dated if date else {"ETag": etag}))
            return
        start, end, status = 0, len(data), 200
        asked = self.headers.get("Range", "")
        fits = self.headers.get("If-Range", etag) == etag
        if self.server_state.ranges and asked.startswith("bytes=") and fits:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last) + 1 if last else len(data), len(data))
            status = 206
        self.send_response(status)
        self.send_header("Content-Type", KINDS.get(file.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(end - start))
        date = self.server_state.modified
        self.send_header("ETag" if date is None else "Last-Modified", date or etag)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        self.end_headers()
        if not send:
            return
        if cut:
            self.wfile.write(data[start : start + (end - start) // 2])
            self.cut()
            return
        self.wfile.write(data[start:end])

    def _has_version(self, etag: str) -> bool:
        """Tell whether the client has this version already, and may be told so."""
        date = self.server_state.modified
        known = self.headers.get("If-None-Match" if date is None else "If-Modified-Since")
        if known is None or not self.server_state.conditional:
            return False
        if date is None:
            return known == etag
        return parsedate_to_datetime(date) <= parsedate_to_datetime(known)  # as RFC 9110 has it

    def simple(self, status: int, data: bytes, **headers: str) -> None:
        """Send a short answer; of a header's name, `_` stands for `-`."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def cut(self) -> None:
        """Break the connection."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
