"""A server on loopback that shows a folder as the Hugging Face hub and Google Cloud Storage do.

Only what reading takes: of the hub the tree of a data set's repository, facts about paths, and
files with ETag and Range; of Cloud Storage the JSON API's lists, facts and media. Names are
`user/set` and the bucket `data`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

REPO, BUCKET = "user/set", "data"
COMMIT = "c" * 40


@dataclass
class StoreServer:
    """Serves `folder`; `requests` has (method, path with query, Range or None)."""

    folder: Path
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def files(self, below: str = "") -> dict[str, Path]:
        """Return the files whose name begins with a text, by name."""
        names = {one.relative_to(self.folder).as_posix(): one for one in self.folder.rglob("*")}
        return {
            name: file
            for name, file in sorted(names.items())
            if file.is_file() and name.startswith(below)
        }


@contextmanager
def serving_store(folder: Path) -> Iterator[StoreServer]:
    """Serve a folder while the block runs."""
    state = StoreServer(folder)

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

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are no fault."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: StoreServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        pass

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _answer(self, body: bytes) -> None:
        state = self.server_state
        state.requests.append((self.command, self.path, self.headers.get("Range")))
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        hub, repo = f"/api/datasets/{REPO}", f"/datasets/{REPO}/resolve/"
        if parts.path.startswith(repo):
            self._send(unquote(parts.path.removeprefix(repo)).partition("/")[2])
        elif parts.path.startswith(f"{hub}/paths-info/"):
            asked = parse_qs(body.decode())["paths"]
            self._json([one for name in asked for one in self._hub_facts(name)])
        elif parts.path.startswith(f"{hub}/tree/"):
            folder = unquote(parts.path.removeprefix(f"{hub}/tree/")).partition("/")[2]
            self._json(self._hub_tree(folder, recursive=query.get("recursive") == "true"))
        elif parts.path in (hub, f"{hub}/revision/main"):
            self._json({"id": REPO, "sha": COMMIT, "siblings": [], "private": False})
        else:
            self._answer_cloud(parts.path, query)

    def _hub_facts(self, name: str) -> list[dict[str, Any]]:
        state = self.server_state
        if name in state.files():
            return [_hub_file(name, state.files()[name])]
        folder = f"{name}/" if name else ""
        return [{"type": "directory", "path": name, "oid": COMMIT}] if state.files(folder) else []

    def _hub_tree(self, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
        below = f"{folder}/" if folder else ""
        found: dict[str, dict[str, Any]] = {}
        for name, file in self.server_state.files(below).items():
            inner = name.removeprefix(below).split("/")
            for depth in range(1, len(inner)):
                path = below + "/".join(inner[:depth])
                if recursive or depth == 1:
                    found[path] = {"type": "directory", "path": path, "oid": COMMIT}
            if recursive or len(inner) == 1:
                found[name] = _hub_file(name, file)
        return list(found.values())

    def _answer_cloud(self, path: str, query: dict[str, str]) -> None:
        state = self.server_state
        media, facts = f"/download/storage/v1/b/{BUCKET}/o/", f"/storage/v1/b/{BUCKET}/o/"
        listed = path.rstrip("/") == facts.rstrip("/")
        if path.startswith(media) or (path.startswith(facts) and query.get("alt") == "media"):
            self._send(unquote(path.removeprefix(media).removeprefix(facts)))
        elif listed:
            self._json(self._cloud_list(query.get("prefix", ""), query.get("delimiter")))
        elif path.startswith(facts) and unquote(path.removeprefix(facts)) in state.files():
            name = unquote(path.removeprefix(facts))
            self._json(_cloud_object(name, state.files()[name]))
        elif path.rstrip("/") == f"/storage/v1/b/{BUCKET}":
            self._json({"kind": "storage#bucket", "name": BUCKET})
        else:
            self._json({"error": {"code": 404, "message": "Not Found"}}, 404)

    def _cloud_list(self, prefix: str, delimiter: str | None) -> dict[str, Any]:
        items, prefixes = [], {}
        for name, file in self.server_state.files(prefix).items():
            inner = name.removeprefix(prefix)
            if delimiter and delimiter in inner:
                prefixes[prefix + inner.partition(delimiter)[0] + delimiter] = None
            else:
                items.append(_cloud_object(name, file))
        return {"kind": "storage#objects", "items": items, "prefixes": list(prefixes)}

    def _json(self, value: object, status: int = 200) -> None:
        self._send_bytes(json.dumps(value).encode(), status, {"Content-Type": "application/json"})

    def _send(self, name: str) -> None:
        file = self.server_state.files().get(name)
        if file is None:
            self._send_bytes(b"", 404, {"X-Error-Code": "EntryNotFound"})
            return
        data = file.read_bytes()
        headers = {"ETag": f'"{_digest(data)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        asked = self.headers.get("Range", "")
        if not asked.startswith("bytes="):
            self._send_bytes(data, 200, headers)
            return
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last) + 1 if last else len(data), len(data))
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        self._send_bytes(data[start:end], 206, headers)

    def _send_bytes(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _digest(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def _hub_file(name: str, file: Path) -> dict[str, Any]:
    data = file.read_bytes()
    return {"type": "file", "path": name, "size": len(data), "oid": _digest(data)}


def _cloud_object(name: str, file: Path) -> dict[str, Any]:
    data = file.read_bytes()
    return {
        "kind": "storage#object", "name": name, "bucket": BUCKET, "size": str(len(data)),
        "etag": _digest(data), "generation": str(int(_digest(data)[:12], 16)),
        "updated": "2026-12-01T00:00:00.000Z", "timeCreated": "2026-12-01T00:00:00.000Z",
    }  # fmt: skip
