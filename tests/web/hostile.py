"""A data set whose every text, name and file tries to break what shows it."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from ig4.core.engine.ingesting.imports import ScoreColumn, import_clusters, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store

NAME = "<img src=x onerror=pwned=1>"
RUN = "window.pwned=1"
TEXTS = (
    f"<script>{RUN}</script>",
    f"</script><!--<script>{RUN}//",
    f"<img src=x onerror={RUN}>",
    f"javascript:{RUN}",
    f"'\"><svg onload={RUN}>",
    f"\" autofocus onfocus={RUN} x=\"",
    "\u202eevil\u202c right to left \u2066\u2069 \u200f",
    "\x00 NUL \x07 bell \x1b[31m red \x7f \ufffe \ufeff",
    "\ud800 lone \udfff surrogates",
    "{{data}} ${pwned=1} {{constructor.constructor('pwned=1')()}} %s %n",
    "W" * 1_000_000,
    "Z\u0351\u036b\u0343" * 500,
    "]]> <![CDATA[ --> */ // <style>*{display:none}</style>",
    "__proto__", "constructor", "toString",
    "<a href=\"data:text/html,<script>parent.pwned=1</script>\">x</a><iframe srcdoc=x>",
    "line\u2028separator\u2029paragraph\r\n\ttab",
)  # fmt: skip
FILES = (
    "<img src=x onerror=pwned=1>.png", "a'b\"c.png", "\u202egnp.exe.png", "per%cent?#&.png",
    "vector.svg", "broken.png",
)  # fmt: skip
SCORES = ("a.b[0]['x']", "<b>score</b>", "javascript:pwned=1", "per cent %?&=#,")
"""Names of scorers: Vega reads dots and brackets of a field as a path."""


def make_hostile(folder: Path) -> Path:
    """Make the data set, its scores and clusters, and a selection of it in `ig4.db`."""
    data = folder / "data"
    data.mkdir()
    for name in FILES[:4]:
        Image.new("RGB", (20, 20), "red").save(data / name)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{RUN}"><script>{RUN}</script></svg>'
    (data / "vector.svg").write_text(svg)
    (data / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + svg.encode())
    records = []
    for n in range(48):
        said = TEXTS[n % len(TEXTS)]
        one = {"id": f"{n} {said[:60]}" if "\x00" not in said else f"{n} nul"}
        if n % 3 == 0:
            one["image"] = FILES[(n // 3) % len(FILES)]
        turns = [
            {"from": "human", "value": TEXTS[(n + 5) % len(TEXTS)]},
            {"from": "gpt", "value": said},
        ]
        one["source"] = "<script>pwned=1</script>" if n % 2 else "a.b['c'][0]"
        records.append(one | {"conversations": turns})
    path = data / "llava.json"
    path.write_text(json.dumps(records))
    rows = [
        {"id": one["id"], **{name: (n * 7 + place) % 40 for place, name in enumerate(SCORES)}}
        for n, one in enumerate(records)
    ]
    (folder / "scores.json").write_text(json.dumps(rows))
    parts = {"0": [one["id"] for one in records[:30]], "1": [one["id"] for one in records[30:]]}
    (folder / "clusters.json").write_text(json.dumps(parts))
    with Store.open(folder / "ig4.db") as store:
        session = Session(store, Host.discover(), [])
        dataset = ingest(session, DatasetSource(path, name=NAME)).dataset
        for name in SCORES:
            import_scores(session, dataset, ScoreColumn(folder / "scores.json", name, name))
        import_clusters(session, dataset, folder / "clusters.json", "<i>parts</i>")
        weights = {SCORES[0]: 0.6, SCORES[1]: 0.4}
        select(session, dataset, SelectionRequest(size=9, scorers=SCORES[:2], weights=weights))
    return folder
