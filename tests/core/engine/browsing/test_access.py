"""Who may ask: pages of the server's own, by its own name; and to write, who has the token."""

from __future__ import annotations

import pytest

from ig4.core.engine.browsing.access import HEADERS, new_token, refused

PORT = 8420
HOST = {"host": "127.0.0.1:8420"}


def asked(headers, *, writes=False, path="/api/about"):
    found = refused(headers, PORT, writes=writes, token="secret", path=path)
    return None if found is None else found[0]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8420", "localhost:8420", "LOCALHOST:8420", "[::1]:8420"]
)
def test_the_servers_own_names_may_ask(host):
    assert asked({"host": host}) is None


@pytest.mark.parametrize(
    "host",
    ["evil.example:8420", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.evil.example:8420", "",
     "127.0.0.1:8420@evil.example", "localhost.:8420", "0.0.0.0:8420", "127.0.0.1:8420 "],
)  # fmt: skip
def test_other_names_of_this_machine_are_refused(host):
    assert asked({"host": host}) == 421
    assert asked({}) == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:8420", "http://127.0.0.1:9000", ""]
)
def test_pages_of_other_origins_are_refused(origin):
    assert asked(HOST | {"origin": origin}) == 403
    assert asked(HOST | {"origin": "http://127.0.0.1:8420"}) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site", "unknown"])
def test_what_a_browser_says_comes_from_elsewhere_is_refused(site):
    assert asked(HOST | {"sec-fetch-site": site}) == 403


def test_a_link_may_lead_to_the_page_and_to_nothing_else():
    link = HOST | {
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
    }
    assert asked(link, path="/") is None
    assert asked(link, path="/api/about") == 403
    assert asked(link, path="/", writes=True) == 403
    assert asked(link | {"sec-fetch-mode": "no-cors"}, path="/") == 403
    assert asked(link | {"sec-fetch-dest": "iframe"}, path="/") == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_to_write_takes_the_token(site):
    headers = HOST | {"sec-fetch-site": site}
    assert asked(headers, writes=True) == 403
    assert asked(headers | {"x-ig4-token": "other"}, writes=True) == 403
    assert asked(headers | {"x-ig4-token": "secr\xe9t"}, writes=True) == 403
    assert asked(headers | {"x-ig4-token": "secret"}, writes=True) is None


def test_the_token_does_not_let_other_sites_in():
    headers = HOST | {"x-ig4-token": "secret", "origin": "http://evil.example"}
    assert asked(headers, writes=True) == 403


def test_tokens_differ_and_are_long():
    made = {new_token() for _ in range(50)}
    assert len(made) == 50
    assert min(map(len, made)) >= 32


def test_the_policy_runs_no_script_but_the_servers_own_and_shows_in_no_frame():
    policy = HEADERS["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
