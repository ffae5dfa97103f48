"""Questions are known again by their words and images, whatever else changes."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from ig4.core.engine.evaluating.questions import KEPT, kept_digests, question_digests
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage.store import Store


@pytest.fixture
def digests(tmp_path):
    """Digests of rows of questions, written as a file of their own."""
    with Store.open(tmp_path / "ig4.db") as store:
        session = Session(store, Host.discover())

        def read(rows, name="one", limit=None):
            folder = tmp_path / name
            folder.mkdir()
            for row in rows:
                if "image" in row:
                    Image.new("RGB", (4, 4), row.pop("red")).save(folder / row["image"])
            lines = "".join(json.dumps({"answer": "yes"} | row) + "\n" for row in rows)
            (folder / "questions.jsonl").write_text(lines, encoding="utf-8")
            options = {"questions": str(folder / "questions.jsonl"), "images": str(folder)}
            return question_digests(session, Choice("benchmark", "vqa", options), limit, None)

        yield read


def asked(question, **more):
    return {"question": question, "question_id": more.pop("id", question), **more}


def test_capitals_spaces_ids_and_answers_do_not_count(digests):
    one = digests([asked("Is it red?"), asked("Is it blue?")])
    other = digests([asked("IS  it red? ", id="x9", answer="no")], "other")
    assert len(one) == 2
    assert other < one


def test_the_image_counts_by_its_bytes_and_not_by_its_name(digests):
    one = digests([asked("What?", image="a.png", red=(200, 0, 0))])
    same = digests([asked("What?", image="b.png", red=(200, 0, 0))], "same")
    other = digests([asked("What?", image="a.png", red=(0, 200, 0))], "other")
    assert one == same
    assert not one & other


def test_only_those_that_are_asked_count(digests):
    rows = [asked(f"Is it {n}?") for n in range(5)]
    assert len(digests(rows, limit=2)) == 2


def test_what_is_kept_of_many_questions_is_shared_where_they_are():
    many = [f"{n * 7919 % 100_003:012x}" for n in range(2_000)]
    kept = kept_digests(many)
    assert len(kept) == KEPT
    assert kept == sorted(many)[:KEPT]
    assert set(kept_digests(many[::2])) & set(kept)
