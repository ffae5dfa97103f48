"""Who may ask the server of a browser: pages of its own, on this machine, by its own name."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping

TOKEN = "x-ig4-token"  # noqa: S105 - the name of a header
"""The header that a request to write has the token in."""

_SAME = {"same-origin", "none"}

HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""What every answer says: run nothing but the server's own scripts, and let no other page in."""


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(24)


def refused(
    headers: Mapping[str, str], port: int, *, writes: bool, token: str, path: str = "/api"
) -> tuple[int, str] | None:
    """Return the status and the reason that a request is refused with; None if it is not.

    A page of another site cannot ask: its name for this machine is another one (DNS rebinding), or
    its browser says where it comes from. To write takes the token, in a header that a form cannot
    send.
    """
    names = {f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]")}
    if headers.get("host", "").lower() not in names:
        return 421, "this server answers to 127.0.0.1 and localhost alone"
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in {f"http://{name}" for name in names}:
        return 403, "pages of other sites may not ask"
    # A link from elsewhere may lead to the page itself, which no frame can hold.
    navigates = headers.get("sec-fetch-mode") == "navigate"
    leads_here = navigates and headers.get("sec-fetch-dest") == "document" and path == "/"
    if headers.get("sec-fetch-site", "none") not in _SAME and (writes or not leads_here):
        return 403, "pages of other sites may not ask"
    if writes and not hmac.compare_digest(headers.get(TOKEN, "").encode(), token.encode()):
        return 403, "to write takes the token that `ig4 browse` printed"
    return None
