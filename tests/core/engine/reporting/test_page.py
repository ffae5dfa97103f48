"""One file of all: its script, its policy, and that nothing in it is markup of a data set."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from importlib import resources

import pytest

from ig4.core.engine.reporting.packing import packed_json
from ig4.core.engine.reporting.page import bundle, html_page, source

ABOUT = {"about": {"label": "best", "dataset": "set"}}
MODULES = sorted(
    one.name for one in resources.files("ig4.web").iterdir() if one.name.endswith(".js")
)


def unpacked(text):
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_equal_values_are_packed_equally_and_come_back():
    value = {"text": "</script><!-- \u2028 \u202e", "n": [1, None, 2.5]}
    assert packed_json(value) == packed_json(dict(value))
    assert unpacked(packed_json(value)) == value
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", packed_json(value))


def test_lone_surrogates_do_not_stop_a_page():
    assert unpacked(packed_json({"text": "a\ud800b"})) == {"text": "a?b"}


def test_names_in_the_title_are_text():
    about = {"about": {"label": '</title><script>alert("1")</script>', "dataset": "<b>"}}
    page = html_page(about, []).decode()
    assert "<script>alert" not in page
    assert "&lt;/title&gt;&lt;script&gt;alert(&quot;1&quot;)" in page


def test_what_a_page_holds_is_not_filled_in_again():
    page = html_page({"about": {"label": "{{data}}", "dataset": "{{script}}"}}, []).decode()
    assert "<title>{{data}} of {{script}}</title>" in page


def test_the_policy_lets_the_scripts_of_the_page_run_and_no_other():
    page = html_page(ABOUT, [], {}, "window.library = 1;").decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    scripts = re.findall(r"<script(?: type=\"module\")?>(.*?)</script>", page, re.DOTALL)
    digests = {base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts}
    assert digests == allowed
    assert len(allowed) == 2
    assert "unsafe-eval" not in policy
    assert "http" not in policy


def test_a_page_asks_for_nothing_from_anywhere():
    page = html_page(ABOUT, []).decode()
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)
    assert "@import" not in page
    assert "url(" not in page


@pytest.mark.parametrize("name", MODULES)
def test_modules_keep_to_the_form_that_can_be_put_together(name):
    text = source(name)
    # Several names may stand in several lines; where they come from is in the last of these.
    imports = re.findall(r"^import\b.*?;$", text, re.MULTILINE | re.DOTALL)
    for one in imports:
        assert re.fullmatch(r'import \{[^}]*\} from "\./[\w-]+\.js";', one), one
        assert " as " not in one
    assert text.count("import ") - text.count('import("') <= len(imports) + text.count("imports ")
    for one in re.findall(r"^export\b.*$", text, re.MULTILINE):
        assert re.match(r"export (async function|function|const|class) \w+", one), one
    assert "export default" not in text
    assert not re.search(r"^[ \t]+export ", text, re.MULTILINE)
    assert "</script" not in text.lower()
    assert "<!--" not in text


@pytest.mark.parametrize("entry", ["report.js", "browse.js"])
def test_a_bundle_has_each_module_once_and_before_it_is_needed(entry):
    text = bundle(entry)
    assert not re.search(r"^(import|export)\b", text, re.MULTILINE)
    made = re.findall(r"^const (module_\w+) = \(\(\) => \{$", text, re.MULTILINE)
    assert len(made) == len(set(made))
    seen = set()
    for line in text.splitlines():
        if found := re.match(r"const (module_\w+) = \(\(\)", line):
            seen.add(found[1])
        if used := re.match(r"const \{.*\} = (module_\w+);", line):
            assert used[1] in seen


def test_no_two_modules_import_each_other():
    def imported(name):
        return re.findall(r'from "\./([\w-]+\.js)"', source(name))

    def walk(name, above):
        assert name not in above, f"{name} imports itself by way of {above}"
        for one in imported(name):
            walk(one, (*above, name))

    for name in MODULES:
        walk(name, ())


@pytest.mark.parametrize("name", MODULES)
def test_nothing_makes_markup_or_code_of_text(name):
    text = source(name)
    for wrong in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
                  "new Function", "srcdoc", "javascript:"):  # fmt: skip
        assert wrong not in text
